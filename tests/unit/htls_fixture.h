/* htls_fixture: certificates, made with the openssl command in a directory of their own, and a TLS
 * server and client under observation on one loop. Include it after cmocka.h.
 *
 * The certificates: ca (the one that is trusted), good (a.test, *.wild.test, 127.0.0.1), other
 * (b.test), client, expired, future, revoked, weak (RSA 1024), sha1, self (signed by itself),
 * stranger (of another authority, stranger-ca); each NAME.pem and NAME.key, and crl.pem. */
#ifndef HNET_TESTS_HTLS_FIXTURE_H
#define HNET_TESTS_HTLS_FIXTURE_H

#include "loop_test.h"
#include "net/htls.h"

#include <stdio.h>
#include <sys/stat.h>

#ifdef __SANITIZE_THREAD__
/* OpenSSL is not built for the sanitizer, which does not see its atomics: it is left out. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libcrypto.so.3\ncalled_from_lib:libssl.so.3\n";
}
#endif

static char fixture_dir[64];

static const char fixture_script[] =
    "set -e; cd \"$1\"; : >index.txt; echo 1000 >serial\n"
    "cat >ca.cnf <<X\n"
    "[ca]\ndefault_ca=d\n"
    "[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ncertificate=ca.pem\n"
    "private_key=ca.key\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n"
    "unique_subject=no\ndefault_days=30\ndefault_crl_days=30\n"
    "[p]\ncommonName=supplied\n"
    "[req]\ndistinguished_name=dn\n[dn]\n"
    "X\n"
    "ec='ec -pkeyopt ec_paramgen_curve:P-256'\n"
    "self() { openssl req -x509 -config ca.cnf -newkey $ec -nodes -keyout $1.key -out $1.pem"
    " -subj \"/CN=$2\" -days 30 -addext \"$3\"; }\n"
    "cert() { name=$1 san=$2; shift 2\n"
    "  openssl req -new -config ca.cnf -newkey ${key:-$ec} -nodes -keyout $name.key -out csr"
    " -subj \"/CN=$name\" -addext subjectAltName=$san\n"
    "  openssl ca -batch -config ca.cnf -in csr -out $name.pem -notext \"$@\"; }\n"
    "self ca 'Test CA' basicConstraints=critical,CA:TRUE\n"
    "cert good 'DNS:a.test,DNS:*.wild.test,IP:127.0.0.1'\n"
    "cert other DNS:b.test\n"
    "cert client DNS:client.test\n"
    "cert expired DNS:a.test -startdate 20200101000000Z -enddate 20210203000000Z\n"
    "cert future DNS:a.test -startdate 20400506000000Z -enddate 20410101000000Z\n"
    "cert revoked DNS:a.test\n"
    "openssl ca -config ca.cnf -revoke revoked.pem\n"
    "key=rsa:1024 cert weak DNS:a.test\n"
    "cert sha1 DNS:a.test -md sha1\n"
    "openssl ca -config ca.cnf -gencrl -out crl.pem\n"
    "self self a.test subjectAltName=DNS:a.test\n"
    "openssl pkey -in good.key -aes128 -passout pass:secret -out locked.key\n"
    "openssl pkey -in good.key -pubout -out good.pub\n"
    "mv ca.pem first.pem; mv ca.key first.key\n"
    "self ca 'Strange CA' basicConstraints=critical,CA:TRUE\n"
    "cert stranger DNS:a.test\n"
    "mv ca.pem stranger-ca.pem; mv first.pem ca.pem; mv first.key ca.key\n";

/* A file of the fixture; four paths may be in use at once. */
static inline const char *fixture_path(const char *name)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", fixture_dir, name);
    return path;
}

static inline int run_command(const char *const argv[])
{
    int status = -1, out = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = fork();

    if (pid == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    close(out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static inline int fixture_make(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(fixture_dir, sizeof(fixture_dir), "%.40s/htls.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(fixture_dir))
        return -1;
    return run_command((const char *[]){"sh", "-c", fixture_script, "sh", fixture_dir, NULL});
}

static inline void fixture_remove(void)
{
    run_command((const char *[]){"rm", "-rf", fixture_dir, NULL});
}

/* ---- contexts -------------------------------------------------------------------------------- */

static inline htls_ctx_t *make_ctx(const htls_options_t *options)
{
    char error[HTLS_ERROR_SIZE] = "";
    htls_ctx_t *ctx = NULL;

    if (htls_ctx_new(options, &ctx, error, sizeof(error)) < 0)
        fail_msg("htls_ctx_new: %s", error);
    return ctx;
}

static inline htls_ctx_t *server_ctx(const char *name)
{
    char cert[32], key[32];

    snprintf(cert, sizeof(cert), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    return make_ctx(&(htls_options_t){.server = true,
                                      .cert_file = fixture_path(cert),
                                      .key_file = fixture_path(key),
                                      .ciphers = "ECDHE+AESGCM:@SECLEVEL=0"});
}

static inline htls_ctx_t *client_ctx(void)
{
    return make_ctx(&(htls_options_t){.ca_file = fixture_path("ca.pem")});
}

/* ---- two ends on one loop -------------------------------------------------------------------- */

typedef struct tls_end_s {
    seen_t seen; /* first: the hio's user data is both */
    char error[HTLS_ERROR_SIZE];
    htls_info_t info;
    char version[16], group[32], alpn[32], server_name[64];
    bool secure; /* info counts */
    bool echo;
} tls_end_t;

typedef struct tls_pair_s {
    hloop_t *loop;
    struct sockaddr_in addr;
    hio_t *listener;
    htls_ctx_t *server_ctx, *client_ctx;
    tls_end_t server, client;
    const char *name; /* that the client asks for */
} tls_pair_t;

static tls_pair_t tls; /* of the running test */

static inline tls_end_t *end_of(hio_t *io)
{
    return hevent_userdata(io);
}

/* The strings live as long as the connection: copies. */
static inline void end_on_connect(hio_t *io)
{
    tls_end_t *end = end_of(io);

    seen_on_connect(io);
    end->secure = htls_info(io, &end->info) == 0;
    snprintf(end->version, sizeof(end->version), "%s", end->info.version);
    snprintf(end->group, sizeof(end->group), "%s", end->info.group);
    snprintf(end->alpn, sizeof(end->alpn), "%s", end->info.alpn);
    snprintf(end->server_name, sizeof(end->server_name), "%s", end->info.server_name);
}

static inline void end_on_read(hio_t *io, void *buf, int len)
{
    seen_on_read(io, buf, len);
    if (end_of(io)->echo)
        assert_int_equal(hio_write(io, buf, (size_t)len), len);
}

static inline void end_on_close(hio_t *io)
{
    tls_end_t *end = end_of(io);

    seen_on_close(io);
    htls_error(io, end->error, sizeof(end->error));
}

static inline void observe_end(hio_t *io, tls_end_t *end)
{
    bool echo = end->echo;

    memset(end, 0, sizeof(*end));
    end->echo = echo;
    observe(io, &end->seen);
    hio_setcb_connect(io, end_on_connect);
    hio_setcb_read(io, end_on_read);
    hio_setcb_close(io, end_on_close);
}

static inline void tls_on_accept(hio_t *io)
{
    observe_end(io, &tls.server);
    assert_int_equal(htls_server(io, tls.server_ctx), 0);
    assert_int_equal(hio_read(io), 0);
}

/* A listener that talks TLS with this context, and echoes; the contexts are the pair's. */
static inline void tls_open(htls_ctx_t *server, htls_ctx_t *client)
{
    memset(&tls, 0, sizeof(tls));
    tls.loop = new_loop();
    tls.server_ctx = server;
    tls.client_ctx = client;
    tls.name = "a.test";
    tls.server.echo = true;
    tls.listener =
        haccept(tls.loop, bound_socket(SOCK_STREAM | SOCK_NONBLOCK, &tls.addr), tls_on_accept);
    assert_non_null(tls.listener);
}

static inline hio_t *tls_connect(void)
{
    hio_t *io = observed_client(tls.loop, &tls.client.seen, &tls.addr, sizeof(tls.addr));

    observe_end(io, &tls.client);
    assert_int_equal(htls_client(io, tls.client_ctx, tls.name), 0);
    assert_int_equal(hio_connect(io), 0);
    assert_int_equal(hio_read(io), 0);
    return io;
}

static inline void tls_end(void)
{
    hloop_free(&tls.loop);
    htls_ctx_free(tls.server_ctx);
    htls_ctx_free(tls.client_ctx);
    tls.server_ctx = tls.client_ctx = NULL;
}

static inline int run_with_certificates(const char *group, const struct CMUnitTest *tests, size_t n)
{
    int failed = 1;

    if (fixture_make() == 0)
        failed = run_on_each_poller(group, tests, n);
    else
        print_error("the openssl command has made no certificates\n");
    fixture_remove();
    return failed;
}

#define TLS_UNTIL(condition) RUN_UNTIL(tls.loop, condition)

#endif
