// OpenSSL 3, with the macros that the importer does not see as functions.
#pragma once

#include <errno.h>
#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static inline long copenssl_set_min_tls12(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
static inline long copenssl_set_modes(SSL_CTX *context) {
    return SSL_CTX_set_mode(
        context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}
/* A record's header and the record in one call, and whatever has come behind it. */
static inline void copenssl_set_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }
static inline long copenssl_keep_client_sessions(SSL_CTX *context) {
    return SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}
static inline long copenssl_set_host_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, (char *)name); }

/* Clears the queue of errors, which is nearly always empty: to look costs a tenth of clearing. */
static inline void copenssl_forget_errors(void) {
    if (ERR_peek_error() != 0) ERR_clear_error();
}

/*
 * A socket that remembers that it was read empty. Who waits for edges knows when there is more; until then it is not asked
 * again, where OpenSSL's own would be once after each record. Sends without SIGPIPE.
 */
struct copenssl_socket { int number, is_empty, has_ended; };

static inline int copenssl_socket_read(BIO *bio, char *to, int room) {
    struct copenssl_socket *socket = BIO_get_data(bio);
    ssize_t count = -1;
    BIO_clear_retry_flags(bio);
    if (!socket->is_empty) {
        do count = recv(socket->number, to, (size_t)room, 0); while (count < 0 && errno == EINTR);
        if (count < 0 && errno != EAGAIN) return -1;
        socket->is_empty = count < 0 || (count > 0 && count < room);
        socket->has_ended = count == 0;
    }
    if (count < 0) BIO_set_retry_read(bio);
    return (int)count;
}

static inline int copenssl_socket_write(BIO *bio, const char *from, int length) {
    struct copenssl_socket *socket = BIO_get_data(bio);
    ssize_t count;
    BIO_clear_retry_flags(bio);
    do count = send(socket->number, from, (size_t)length, MSG_NOSIGNAL); while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
    return (int)count;
}

static inline long copenssl_socket_control(BIO *bio, int command, long number, void *pointer) {
    struct copenssl_socket *socket = BIO_get_data(bio);
    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return socket->has_ended;
    default: return 0;
    }
}

static inline int copenssl_socket_destroy(BIO *bio) {
    if (bio) OPENSSL_free(BIO_get_data(bio));
    return 1;
}

/* How such sockets behave; NULL when there is no memory. Made once and kept. */
static inline BIO_METHOD *copenssl_make_socket_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (!method) return NULL;
    BIO_meth_set_read(method, copenssl_socket_read);
    BIO_meth_set_write(method, copenssl_socket_write);
    BIO_meth_set_ctrl(method, copenssl_socket_control);
    BIO_meth_set_destroy(method, copenssl_socket_destroy);
    return method;
}

/* Has `ssl` read and write the socket `number`, which stays its owner's to close; 0 when there is no memory. */
static inline int copenssl_set_socket(SSL *ssl, const BIO_METHOD *method, int number) {
    struct copenssl_socket *socket = OPENSSL_zalloc(sizeof *socket);
    BIO *bio = socket ? BIO_new(method) : NULL;
    if (!bio) {
        OPENSSL_free(socket);
        return 0;
    }
    socket->number = number;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return 1;
}

/* There may be something to read again. */
static inline void copenssl_ask_again(SSL *ssl) {
    struct copenssl_socket *socket = BIO_get_data(SSL_get_rbio(ssl));
    socket->is_empty = 0;
}

/* Whether a read may find something without a new edge. */
static inline int copenssl_has_more(SSL *ssl) {
    struct copenssl_socket *socket = BIO_get_data(SSL_get_rbio(ssl));
    return !socket->is_empty || SSL_has_pending(ssl);
}
