/*
 * Load for a gateway at http://127.0.0.1:PORT/v1/chat/completions, in three kinds:
 *
 *   load closed  --port P --connections N --seconds S --body FILE [--body FILE ...]
 *       Each connection sends its next request as soon as the last one was answered.
 *   load rate    ... --rate R
 *       Open loop: requests are due at a fixed rate whatever the answers do. Latency counts from the moment a
 *       request was due, so a gateway that stalls is charged for the queue that it causes.
 *   load streams ...
 *       N concurrent streams, begun spread over the first second; a connection begins its next one when the last
 *       has ended. Tells the time to the first event, the gaps between events, and streams that broke off.
 *
 * --requests N ends a closed load after N requests instead. Bodies are used in turn. Prints one line of JSON, times
 * in microseconds. One thread, epoll.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BODIES = 16, EVENTS = 512, READ = 256 * 1024, HEAD = 8 * 1024 };

struct request { char *bytes; size_t length; };

struct connection {
    int fd;
    bool busy, waits_for_room, has_head, chunked, done;
    uint64_t start, last_event, events;
    const char *out;
    size_t out_left, body_left, head_length, kept;
    int status;
    char end[16];       /* of what was read before, for matches across reads */
    char head[HEAD];
};

struct samples { uint64_t *values; size_t count, room; };

static struct request requests[BODIES];
static struct connection *connections;
static int *idle, idle_count, request_count, connection_count = 64, port, epoll;
static bool streams, closed;
static double rate, seconds = 5;
static long limit = -1, sent, completed, bad, broken, events_seen;
static struct samples latency, first_event, gaps;

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void record(struct samples *s, uint64_t value) {
    if (s->count == s->room) {
        s->room = s->room ? s->room * 2 : 1 << 16;
        if (!(s->values = realloc(s->values, s->room * sizeof *s->values))) die("realloc");
    }
    s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double at(const struct samples *s, double part) {
    return s->count ? (double)s->values[(size_t)((double)(s->count - 1) * part)] / 1000.0 : 0.0;
}

static void print(const char *name, struct samples *s) {
    if (s->count) qsort(s->values, s->count, sizeof *s->values, by_value);
    printf(",\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, s->count, at(s, 0.5), at(s, 0.99),
           at(s, 1.0));
}

static void load_body(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f || request_count == BODIES) die(path);
    fseek(f, 0, SEEK_END);
    long length = ftell(f);
    rewind(f);
    struct request *r = &requests[request_count++];
    if (!(r->bytes = malloc((size_t)length + 512))) die("malloc");
    int head = sprintf(r->bytes, "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: "
                       "application/json\r\nAuthorization: Bearer sk-bench\r\nUser-Agent: bench/1\r\n"
                       "Content-Length: %ld\r\n\r\n", port, length);
    r->length = (size_t)head + fread(r->bytes + head, 1, (size_t)length, f);
    fclose(f);
}

static bool connect_it(struct connection *c) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0) die("socket");
    if (connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0) { close(c->fd); c->fd = -1; return false; }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e) < 0) die("epoll_ctl");
    c->waits_for_room = false;
    return true;
}

static void rest(struct connection *c) {
    c->busy = false;
    idle[idle_count++] = (int)(c - connections);
}

static void lose(struct connection *c) {
    close(c->fd);
    c->fd = -1;
    if (c->busy) { broken++; rest(c); }
}

static void push(struct connection *c) {
    while (c->out_left > 0) {
        ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) return lose(c);
        c->out += n;
        c->out_left -= (size_t)n;
    }
    bool waits = c->out_left > 0;
    if (waits == c->waits_for_room) return;
    c->waits_for_room = waits;
    struct epoll_event e = {.events = waits ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e) < 0) die("epoll_ctl");
}

static void begin(struct connection *c, uint64_t start) {
    c->busy = true;
    if (c->fd < 0 && !connect_it(c)) { broken++; return rest(c); }
    struct request *r = &requests[sent++ % request_count];
    c->start = start;
    c->out = r->bytes;
    c->out_left = r->length;
    c->head_length = c->kept = c->body_left = c->events = 0;
    c->has_head = c->done = c->chunked = false;
    push(c);
}

/* Looks at body bytes, also across the border of two reads; true at the end of the answer. */
static bool take(struct connection *c, const char *bytes, size_t n) {
    if (!streams && !c->chunked) {
        if (n >= c->body_left) return true;
        c->body_left -= n;
        return false;
    }
    static char joined[READ + 16];
    memcpy(joined, c->end, c->kept);
    memcpy(joined + c->kept, bytes, n);
    size_t length = c->kept + n;
    uint64_t time = now(), found = 0;
    for (const char *q = joined; (q = memmem(q, (size_t)(joined + length - q), "data: ", 6)); q += 6)
        if (q + 6 > joined + c->kept) found++;
    if (found) {
        if (c->events == 0) record(&first_event, time - c->start); else record(&gaps, time - c->last_event);
        c->events += found;
        events_seen += (long)found;
        c->last_event = time;
    }
    if (memmem(joined, length, "[DONE]", 6)) c->done = true;
    bool ended = length >= 5 && !memcmp(joined + length - 5, "0\r\n\r\n", 5);
    size_t keep = length < 5 ? length : 5;
    memcpy(c->end, joined + length - keep, keep);
    c->kept = keep;
    return ended;
}

static void receive(struct connection *c) {
    static char buffer[READ];
    ssize_t got = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || !c->busy) return lose(c);
    const char *body = buffer;
    size_t n = (size_t)got;
    if (!c->has_head) {
        size_t room = HEAD - 1 - c->head_length, part = n < room ? n : room, before = c->head_length;
        memcpy(c->head + before, buffer, part);
        c->head_length += part;
        c->head[c->head_length] = 0;
        char *blank = strstr(c->head, "\r\n\r\n");
        if (!blank) { if (part < n) lose(c); return; }
        blank[2] = 0;
        c->has_head = true;
        c->status = atoi(c->head + 9);
        c->chunked = strcasestr(c->head, "\ntransfer-encoding: chunked") != NULL;
        const char *v = strcasestr(c->head, "\ncontent-length:");
        c->body_left = v ? strtoull(v + 16, NULL, 10) : 0;
        size_t used = (size_t)(blank + 4 - c->head) - before;
        body += used;
        n -= used;
        if (n == 0 && (c->chunked || c->body_left > 0)) return;
    }
    if (!take(c, body, n)) return;
    if (c->status != 200 || (c->chunked && !c->done)) bad++; else completed++;
    record(&latency, now() - c->start);
    rest(c);
}

/* When the next request (or the next first stream) is due. */
static uint64_t due(uint64_t begun, long scheduled) {
    return begun + (uint64_t)((double)scheduled * (streams ? 1e9 / connection_count : 1e9 / rate));
}

int main(int argc, char **argv) {
    const char *bodies[BODIES];
    int body_count = 0;
    if (argc < 2) { fprintf(stderr, "usage: load closed|rate|streams --port P --body FILE ...\n"); return 2; }
    streams = !strcmp(argv[1], "streams");
    closed = !strcmp(argv[1], "closed");
    for (int i = 2; i + 1 < argc; i += 2) {
        const char *option = argv[i], *value = argv[i + 1];
        if (!strcmp(option, "--port")) port = atoi(value);
        else if (!strcmp(option, "--connections")) connection_count = atoi(value);
        else if (!strcmp(option, "--seconds")) seconds = atof(value);
        else if (!strcmp(option, "--requests")) limit = atol(value);
        else if (!strcmp(option, "--rate")) rate = atof(value);
        else if (!strcmp(option, "--body") && body_count < BODIES) bodies[body_count++] = value;
        else { fprintf(stderr, "load: unknown option %s\n", option); return 2; }
    }
    if (!port || !body_count || connection_count < 1) { fprintf(stderr, "load: --port and --body are needed\n"); return 2; }
    for (int i = 0; i < body_count; i++) load_body(bodies[i]);
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
    connections = calloc((size_t)connection_count, sizeof *connections);
    idle = calloc((size_t)connection_count, sizeof *idle);
    if (!connections || !idle) die("calloc");
    for (int i = connection_count - 1; i >= 0; i--) {
        connections[i].fd = -1;
        if (!streams) connect_it(&connections[i]);
        rest(&connections[i]);
    }
    uint64_t begun = now(), stop = limit >= 0 ? UINT64_MAX : begun + (uint64_t)(seconds * 1e9);
    uint64_t give_up = limit >= 0 ? begun + 300000000000u : stop + 10000000000u;
    long scheduled = 0;
    struct epoll_event events[EVENTS];
    for (;;) {
        uint64_t time = now();
        bool open = time < stop && (limit < 0 || sent < limit);
        uint64_t wake = open && stop < give_up ? stop : give_up;
        while (open && idle_count > 0) {
            bool free_running = closed || (streams && scheduled >= connection_count);
            if (!free_running && due(begun, scheduled) > time) {
                if (due(begun, scheduled) < wake) wake = due(begun, scheduled);
                break;
            }
            struct connection *c = &connections[idle[--idle_count]];
            begin(c, rate > 0 ? due(begun, scheduled) : now());
            scheduled++;
            if (c->fd < 0) { wake = time + 1000000; break; } /* refused: do not spin */
            if (limit >= 0 && sent >= limit) break;
        }
        if (!open && (idle_count == connection_count || time >= give_up)) break;
        time = now();
        uint64_t wait = wake > time ? wake - time : 0;
        struct timespec ts = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
        int n = epoll_pwait2(epoll, events, EVENTS, &ts, NULL);
        if (n < 0 && errno != EINTR) die("epoll_pwait2");
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->fd >= 0 && c->out_left > 0 && (events[i].events & EPOLLOUT)) push(c);
            if (c->fd >= 0 && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) receive(c);
        }
    }
    long unfinished = connection_count - idle_count;
    printf("{\"seconds\":%.3f,\"sent\":%ld,\"completed\":%ld,\"errors\":%ld,\"events\":%ld,\"not_sent\":%ld",
           (double)(now() - begun) / 1e9, sent, completed, bad + broken + unfinished, events_seen,
           rate > 0 ? (long)(seconds * rate) - sent : 0);
    print("latency", &latency);
    print("first_event", &first_event);
    print("gap", &gaps);
    printf("}\n");
    return 0;
}
