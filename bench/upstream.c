/*
 * A cheap OpenAI-shaped upstream for measuring what lies in front of it.
 *
 *   upstream --port PORT:MODEL [--port PORT:MODEL ...] [--chunks 32] [--pace-ms 0]
 *
 * POST: a chat completion of some 600 bytes or, when the body says "stream": true, a stream of server-sent events
 * with `data: [DONE]` behind them. Without a pace a stream leaves in one write, else one event each `pace-ms`.
 * GET /config?chunks=N&pace_ms=M changes both for streams begun from then on; GET /served?PORT tells how many
 * requests came to a port. With &vary=1 answers differ from request to request in whatever those of a real model do:
 * id, time, text, length and tokens, and in the head request id, date, duration and what is left of a limit; so do the
 * events of a stream in their text, a token of one to eleven letters.
 *
 * One thread, level-triggered epoll, keep-alive, bodies with a Content-Length. "stream" is looked for in the first
 * and the last 2 KB of a body. Bodies are read and dropped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PORTS = 8, VARIANTS = 64, EVENTS = 512, INPUT = 16 * 1024, SCRATCH = 256 * 1024, WINDOW = 2048 };

/* A stream as bytes on the wire; ends[i] lies behind event i. */
struct script { char *bytes; size_t length, *ends; int events, users; };

struct reply { char bytes[2048]; size_t length; };

struct port { int number, listener; char model[64]; struct reply replies[VARIANTS]; struct script *scripts[VARIANTS]; long served; };

struct connection {
    int fd;
    struct port *port;
    struct connection *before, *behind; /* in the queue of paced streams */
    bool queued, waits_for_room, in_body;
    size_t start, end, body_left, first_length, last_length;
    const char *out, *out_end;
    struct script *script;
    int released;
    uint64_t due;
    char input[INPUT], first[WINDOW], last[WINDOW], small[256];
};

static struct port ports[PORTS];
static int port_count, epoll, chunks = 32, pace_ms, vary;
static struct connection *queue_head, *queue_tail;
static char scratch[SCRATCH];

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- answers, made once ---- */

static const char fields[] =
    "openai-organization: bench\r\nopenai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\n"
    "x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\n";

static void make_fields(char *head, size_t room, int number) {
    unsigned mixed = (unsigned)number * 2654435761u;
    if (number == 0) snprintf(head, room, "%s", fields);
    else snprintf(head, room,
        "date: Wed, 25 Nov 2026 12:%02d:%02d GMT\r\nopenai-organization: bench\r\nopenai-processing-ms: %u\r\n"
        "openai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: %u\r\n"
        "x-request-id: req_%08x%08x%08xcdef\r\n", number / 8, number % 60, mixed % 3000, 9999 - mixed % 7000, mixed,
        ~mixed, mixed ^ 0x5bd1e995);
}

/* Number 0 is what is answered where nothing varies. */
static void make_reply(struct port *p, int number) {
    static const char text[] = "Good morning! How can I help today? This reply is about as long as a short answer of a real model.";
    struct reply *r = &p->replies[number];
    char body[1024], head[512];
    unsigned mixed = (unsigned)number * 2654435761u;
    int length = snprintf(body, sizeof body,
        "{\"id\":\"chatcmpl-%08x89abcdefghijklmnopqrs\",\"object\":\"chat.completion\",\"created\":%d,"
        "\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s%.*s\""
        ",\"tool_calls\":null,\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":12,"
        "\"completion_tokens\":%d,\"total_tokens\":%d,\"prompt_tokens_details\":{\"cached_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0}},\"system_fingerprint\":\"fp_c4e5b6fa31\"}",
        mixed, 1721365934 + number, p->model, text, (int)(mixed % 64), text, 10 + number, 22 + number);
    make_fields(head, sizeof head, number);
    r->length = (size_t)snprintf(r->bytes, sizeof r->bytes,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s", length, head, body);
}

static void add(struct script *s, size_t *room, const char *format, ...) {
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        int n = vsnprintf(s->bytes + s->length, *room - s->length, format, arguments);
        va_end(arguments);
        if (s->length + (size_t)n < *room) { s->length += (size_t)n; return; }
        *room = *room * 2 + (size_t)n + 1;
        if (!(s->bytes = realloc(s->bytes, *room))) die("realloc");
    }
}

static void drop(struct script *s) {
    if (--s->users > 0) return;
    free(s->bytes);
    free(s->ends);
    free(s);
}

static void make_script(struct port *p, int number) {
    if (p->scripts[number]) drop(p->scripts[number]);
    struct script *s = p->scripts[number] = calloc(1, sizeof *s);
    if (!s || !(s->ends = calloc((size_t)chunks + 1, sizeof *s->ends))) die("calloc");
    s->users = 1;
    size_t room = 0;
    char head[512];
    unsigned mixed = (unsigned)number * 2654435761u;
    make_fields(head, sizeof head, number);
    add(s, &room, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n%s\r\n", head);
    for (int i = 0; i < chunks; i++) {
        char event[512], delta[64] = "{}";
        unsigned letters = number == 0 ? 5 : 1 + (mixed ^ (unsigned)i * 2246822519u) / 64 % 11;
        if (i < chunks - 1) snprintf(delta, sizeof delta, "{\"content\":\" %.*s\"}", (int)letters, "tokenisation");
        int length = snprintf(event, sizeof event,
            "data: {\"id\":\"chatcmpl-%08x89abcdefghijklmnopqrs\",\"object\":\"chat.completion.chunk\","
            "\"created\":%d,\"model\":\"%s\",\"system_fingerprint\":\"fp_c4e5b6fa31\",\"choices\":[{\"index\":0,"
            "\"delta\":%s,\"logprobs\":null,\"finish_reason\":%s}]}\n\n", mixed, 1721365934 + number, p->model, delta,
            i == chunks - 1 ? "\"stop\"" : "null");
        add(s, &room, "%x\r\n%s\r\n", length, event);
        s->ends[s->events++] = s->length;
    }
    add(s, &room, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    s->ends[s->events++] = s->length;
}

/* ---- paced streams, in the order in which their next event is due ---- */

static void leave_queue(struct connection *c) {
    if (!c->queued) return;
    if (c->before) c->before->behind = c->behind; else queue_head = c->behind;
    if (c->behind) c->behind->before = c->before; else queue_tail = c->before;
    c->queued = false;
}

static void enter_queue(struct connection *c) {
    c->before = queue_tail;
    c->behind = NULL;
    if (queue_tail) queue_tail->behind = c; else queue_head = c;
    queue_tail = c;
    c->queued = true;
}

/* ---- connections ---- */

static void end(struct connection *c) {
    leave_queue(c);
    if (c->script) drop(c->script);
    close(c->fd);
    free(c);
}

static void wait_for(struct connection *c, bool room) {
    if (c->waits_for_room == room) return;
    c->waits_for_room = room;
    struct epoll_event e = {.events = room ? EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e) < 0) die("epoll_ctl");
}

/* Keeps the first and the last bytes of a body. */
static void take_body(struct connection *c, const char *bytes, size_t n) {
    c->body_left -= n;
    size_t first = n < WINDOW - c->first_length ? n : WINDOW - c->first_length;
    memcpy(c->first + c->first_length, bytes, first);
    c->first_length += first;
    bytes += first;
    n -= first;
    if (n >= WINDOW) {
        memcpy(c->last, bytes + n - WINDOW, WINDOW);
        c->last_length = WINDOW;
    } else if (n > 0) {
        size_t kept = c->last_length + n > WINDOW ? WINDOW - n : c->last_length;
        memmove(c->last, c->last + c->last_length - kept, kept);
        memcpy(c->last + kept, bytes, n);
        c->last_length = kept + n;
    }
}

static bool asks_for_stream(const char *bytes, size_t length) {
    const char *end = bytes + length, *hit;
    while ((hit = memmem(bytes, (size_t)(end - bytes), "\"stream\"", 8))) {
        bytes = hit + 8;
        while (bytes < end && (*bytes == ' ' || *bytes == ':')) bytes++;
        if (end - bytes >= 4 && !memcmp(bytes, "true", 4)) return true;
    }
    return false;
}

static void answer(struct connection *c) {
    struct port *p = c->port;
    p->served++;
    if (!asks_for_stream(c->first, c->first_length) && !asks_for_stream(c->last, c->last_length)) {
        struct reply *r = &p->replies[vary ? p->served % VARIANTS : 0];
        c->out = r->bytes;
        c->out_end = r->bytes + r->length;
        return;
    }
    c->script = p->scripts[vary ? p->served % VARIANTS : 0];
    c->script->users++;
    c->released = pace_ms > 0 ? 1 : c->script->events;
    c->out = c->script->bytes;
    c->out_end = c->script->bytes + c->script->ends[c->released - 1];
    if (c->released < c->script->events) {
        c->due = now() + (uint64_t)pace_ms * 1000000u;
        enter_queue(c);
    }
}

static void answer_get(struct connection *c, const char *target) {
    const char *v;
    int asked = chunks;
    long told = 0;
    if ((v = strstr(target, "chunks="))) asked = atoi(v + 7);
    if ((v = strstr(target, "pace_ms="))) pace_ms = atoi(v + 8);
    if ((v = strstr(target, "vary="))) vary = atoi(v + 5);
    if (asked >= 2 && asked <= 100000 && asked != chunks) {
        chunks = asked;
        for (int i = 0; i < port_count; i++)
            for (int n = 0; n < VARIANTS; n++) make_script(&ports[i], n);
    }
    if ((v = strstr(target, "/served?")))
        for (int i = 0; i < port_count; i++) if (ports[i].number == atoi(v + 8)) told = ports[i].served;
    char body[64];
    int length = snprintf(body, sizeof body, "{\"served\":%ld}", told);
    c->out = c->small;
    c->out_end = c->small + snprintf(c->small, sizeof c->small,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", length, body);
}

/* Takes one head. 1: taken, 0: more bytes needed, -1: not what a gateway sends. */
static int take_head(struct connection *c) {
    char *start = c->input + c->start;
    size_t length = c->end - c->start;
    char *blank = memmem(start, length, "\r\n\r\n", 4);
    if (!blank) return length == INPUT ? -1 : 0;
    *blank = 0;
    c->start += (size_t)(blank + 4 - start);
    c->first_length = c->last_length = c->body_left = 0;
    if (!strncmp(start, "GET ", 4)) { answer_get(c, start); return 1; }
    const char *field = strcasestr(start, "\ncontent-length:");
    if (field) c->body_left = strtoull(field + 16, NULL, 10);
    c->in_body = true;
    return 1;
}

/* Sends what may be sent now. False when the connection is gone. */
static bool flush(struct connection *c) {
    while (c->out < c->out_end) {
        ssize_t n = send(c->fd, c->out, (size_t)(c->out_end - c->out), MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) { wait_for(c, true); return true; }
        if (n < 0) return false;
        c->out += n;
    }
    wait_for(c, false);
    if (c->script && c->released == c->script->events) { drop(c->script); c->script = NULL; }
    return true;
}

/* Answers all requests that have been received whole. False when the connection is gone. */
static bool serve(struct connection *c) {
    while (c->out == c->out_end && !c->script) {
        if (!c->in_body) {
            int taken = take_head(c);
            if (taken < 0) return false;
            if (taken == 0) break;
        }
        if (c->in_body) {
            size_t n = c->end - c->start < c->body_left ? c->end - c->start : c->body_left;
            take_body(c, c->input + c->start, n);
            c->start += n;
            if (c->body_left > 0) break;
            c->in_body = false;
            answer(c);
        }
        if (!flush(c)) return false;
    }
    if (c->start == c->end) c->start = c->end = 0;
    return true;
}

static bool receive(struct connection *c) {
    bool drops = c->in_body && c->start == c->end;
    if (!drops && c->start > 0) {
        memmove(c->input, c->input + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
    }
    char *to = drops ? scratch : c->input + c->end;
    size_t room = drops ? SCRATCH : INPUT - c->end;
    if (drops && room > c->body_left) room = c->body_left;
    if (room == 0) return false;
    ssize_t n = recv(c->fd, to, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return false;
    if (drops) take_body(c, scratch, (size_t)n); else c->end += (size_t)n;
    return serve(c);
}

static void accept_all(struct port *p) {
    int fd;
    while ((fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct connection *c = malloc(sizeof *c);
        if (!c) die("malloc");
        memset(c, 0, offsetof(struct connection, input)); /* not the buffers: their pages come with use */
        c->fd = fd;
        c->port = p;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0) die("epoll_ctl");
    }
}

/* Sends the events that are due; milliseconds until the next one, or -1. */
static int run_queue(void) {
    while (queue_head) {
        struct connection *c = queue_head;
        uint64_t time = now();
        if (c->due > time) return (int)((c->due - time + 999999) / 1000000);
        leave_queue(c);
        c->out_end = c->script->bytes + c->script->ends[c->released++];
        if (c->released < c->script->events) {
            c->due += (uint64_t)pace_ms * 1000000u;
            if (c->due < time) c->due = time;
            enter_queue(c);
        }
        if (!c->waits_for_room && (!flush(c) || !serve(c))) end(c);
    }
    return -1;
}

static void listen_at(struct port *p) {
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->number),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&a, sizeof a) < 0) die("bind");
    if (listen(p->listener, 4096) < 0) die("listen");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->listener, &e) < 0) die("epoll_ctl");
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        struct port *p = &ports[port_count];
        if (!strcmp(argv[i], "--port") && port_count < PORTS
            && sscanf(argv[i + 1], "%d:%63[A-Za-z0-9._-]", &p->number, p->model) == 2) port_count++;
        else if (!strcmp(argv[i], "--chunks")) chunks = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--pace-ms")) pace_ms = atoi(argv[i + 1]);
        else { fprintf(stderr, "upstream: unknown option %s\n", argv[i]); return 2; }
    }
    if (port_count == 0 || chunks < 2) { fprintf(stderr, "usage: upstream --port PORT:MODEL ...\n"); return 2; }
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
    for (int i = 0; i < port_count; i++) {
        for (int number = 0; number < VARIANTS; number++) make_reply(&ports[i], number);
        for (int number = 0; number < VARIANTS; number++) make_script(&ports[i], number);
        listen_at(&ports[i]);
    }
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, run_queue());
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct port *p = events[i].data.ptr;
            if (p >= ports && p < ports + PORTS) { accept_all(p); continue; }
            struct connection *c = events[i].data.ptr;
            bool lives = c->waits_for_room ? flush(c) && serve(c) : receive(c);
            if (!lives) end(c);
        }
    }
}
