/* diabench - Diameter load generator / responder / byte forwarder (Linux, single thread, epoll).
 *
 *   diabench resp   -p PORT [-H host] [-R realm] [-T templatedir] [-q]           answers CER/DWR/DPR + 300..305 from
 * templates diabench load   -p PORT [-n outstanding] [-d seconds] [-w warmup_s] [-c conns] [-m mar,uar,sar,lir] [-u
 * users]
 *                   [-r rate(req/s, open loop; latency measured from intended send time)] [-V verify identities] [-T
 * dir] diabench splice -p LISTENPORT -P DSTPORT [-k 16384]                          bytes in -> bytes out, no parsing
 *
 * Build: gcc -O2 -Wall -o diabench diabench.c
 * load prints one JSON line: rps, latencies in us, result counts, mismatches.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RB (1 << 20)
typedef struct {
    int fd;
    uint8_t *rb;
    size_t rl;
    uint8_t *wb;
    size_t wo, wl, wc;
    int want_w;
    int open;
    int idx;
    int peer;
    SSL *tls;
} conn_t;
static const char *tdir = "templates", *ohost = "hss1.hss.example.org", *orealm = "hss.example.org",
                  *addr = "127.0.0.1";
static int port = 3868, dport = 3870, outst = 64, nconn = 1, users = 100000, quiet = 0, verify = 0, ksize = 65536,
           relayapp = 0;
static double dur = 10, warm = 2, rate = 0;
static char *mix = "mar";
static uint32_t state_id;
static volatile sig_atomic_t stop_flag;
static void onsig(int s) {
    (void)s;
    stop_flag = 1;
}
static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}
static uint32_t g32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return ntohl(v);
}
static uint32_t g24(const uint8_t *p) {
    return p[0] << 16 | p[1] << 8 | p[2];
}
static void p32(uint8_t *p, uint32_t v) {
    v = htonl(v);
    memcpy(p, &v, 4);
}
static void p24(uint8_t *p, uint32_t v) {
    p[0] = v >> 16;
    p[1] = v >> 8;
    p[2] = v;
}
static size_t put_avp(uint8_t *p, uint32_t code, const void *d, size_t n) {
    p32(p, code);
    p[4] = 0x40;
    p24(p + 5, 8 + n);
    memcpy(p + 8, d, n);
    size_t l = 8 + n;
    while (l & 3)
        p[l++] = 0;
    return l;
}
static size_t put_avp32(uint8_t *p, uint32_t code, uint32_t v) {
    uint8_t b[4];
    p32(b, v);
    return put_avp(p, code, b, 4);
}
static int nb(int fd) {
    int o = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &o, sizeof o);
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}
static void die(const char *m) {
    perror(m);
    exit(1);
}

/* base messages */
static size_t mk_base(uint8_t *b, uint32_t code, int req, uint32_t hbh, uint32_t e2e, const char *h, const char *r,
                      int caps) {
    size_t l = 20;
    memset(b, 0, 20);
    b[0] = 1;
    b[4] = req ? 0x80 : 0;
    p24(b + 5, code);
    p32(b + 8, 0);
    p32(b + 12, hbh);
    p32(b + 16, e2e);
    if (!req)
        l += put_avp32(b + l, 268, 2001);
    l += put_avp(b + l, 264, h, strlen(h));
    l += put_avp(b + l, 296, r, strlen(r));
    if (caps) {
        uint8_t ip[6] = {0, 1, 127, 0, 0, 1};
        l += put_avp(b + l, 257, ip, 6);
        l += put_avp32(b + l, 266, 10415);
        uint8_t *pn = b + l;
        l += put_avp(b + l, 269, "diabench", 8);
        pn[4] = 0;
        l += put_avp32(b + l, 278, state_id);
        l += put_avp32(b + l, 265, 10415);
        l += put_avp32(b + l, 258, 16777216);
        if (relayapp)
            l += put_avp32(b + l, 258, 0xffffffffu);
        uint8_t g[64];
        size_t gl = put_avp32(g, 266, 10415);
        gl += put_avp32(g + gl, 258, 16777216);
        l += put_avp(b + l, 260, g, gl);
    } else if (code == 280)
        l += put_avp32(b + l, 278, state_id);
    if (code == 282 && req)
        l += put_avp32(b + l, 273, 0);
    p24(b + 1, l);
    return l;
}

/* templates */
typedef struct {
    uint8_t *b;
    size_t n;
    int um[16], nu, sm[4], ns;
    uint32_t code;
    int ssz;
    int un_off, un_len;
} tpl_t;
static tpl_t load_tpl(const char *name) {
    tpl_t t = {0};
    char p[512];
    snprintf(p, sizeof p, "%s/%s.bin", tdir, name);
    FILE *f = fopen(p, "rb");
    if (!f)
        die(p);
    t.b = malloc(65536);
    t.n = fread(t.b, 1, 65536, f);
    fclose(f);
    t.code = g24(t.b + 5);
    for (size_t i = 20; i + 8 <= t.n; i++) {
        if (!memcmp(t.b + i, "~~~~~~~~", 8) && t.nu < 16) {
            t.um[t.nu++] = i;
            i += 7;
        } else if (!memcmp(t.b + i, "^^^^^^^^", 8) && t.ns < 4) {
            t.sm[t.ns++] = i;
            i += 7;
        }
    }
    if (g32(t.b + 20) == 263)
        t.ssz = g24(t.b + 25);
    for (size_t o = 20; o + 8 <= t.n;) {
        uint32_t l = g24(t.b + o + 5);
        if (g32(t.b + o) == 1) {
            t.un_off = o + 8;
            t.un_len = l - 8;
        }
        o += (l + 3) & ~3u;
    }
    return t;
}
static void dig8(uint8_t *p, uint32_t v) {
    for (int i = 7; i >= 0; i--) {
        p[i] = '0' + v % 10;
        v /= 10;
    }
}
static void hex8(uint8_t *p, uint32_t v) {
    for (int i = 7; i >= 0; i--) {
        p[i] = "0123456789abcdef"[v & 15];
        v >>= 4;
    }
}

static uint8_t *wres(conn_t *c, size_t n) {
    if (c->wl + n > c->wc) {
        if (c->wo) {
            memmove(c->wb, c->wb + c->wo, c->wl - c->wo);
            c->wl -= c->wo;
            c->wo = 0;
        }
        while (c->wl + n > c->wc) {
            c->wc = c->wc ? c->wc * 2 : 1 << 20;
            c->wb = realloc(c->wb, c->wc);
        }
    }
    return c->wb + c->wl;
}
static int ep;

/* TLS of the responder: certificate, key and the authority of those who connect; none of them: plain TCP. */
static const char *tls_cert, *tls_key, *tls_ca;
static SSL_CTX *tls_ctx;
static void tls_setup(void) {
    if (!tls_cert)
        return;
    tls_ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(tls_ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(tls_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (SSL_CTX_use_certificate_chain_file(tls_ctx, tls_cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls_ctx, tls_key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_load_verify_locations(tls_ctx, tls_ca, NULL) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}
/* Shake hands on a socket that still blocks; NULL: it failed. */
static SSL *tls_accept(int fd) {
    SSL *tls = SSL_new(tls_ctx);
    SSL_set_fd(tls, fd);
    if (SSL_accept(tls) == 1)
        return tls;
    SSL_free(tls);
    return NULL;
}
static ssize_t tls_result(SSL *tls, int k) {
    if (k > 0)
        return k;
    int why = SSL_get_error(tls, k);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return -1;
}
static ssize_t recv_c(conn_t *c, void *p, size_t n) {
    return c->tls ? tls_result(c->tls, SSL_read(c->tls, p, n)) : recv(c->fd, p, n, 0);
}
static ssize_t send_c(conn_t *c, const void *p, size_t n) {
    return c->tls ? tls_result(c->tls, SSL_write(c->tls, p, n)) : send(c->fd, p, n, MSG_NOSIGNAL);
}

static int flush_c(conn_t *c) {
    while (c->wo < c->wl) {
        ssize_t k = send_c(c, c->wb + c->wo, c->wl - c->wo);
        if (k < 0) {
            if (errno == EAGAIN) {
                if (!c->want_w) {
                    c->want_w = 1;
                    struct epoll_event e = {EPOLLIN | EPOLLOUT, {.ptr = c}};
                    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
                }
                return 0;
            }
            return -1;
        }
        c->wo += k;
    }
    c->wo = c->wl = 0;
    if (c->want_w) {
        c->want_w = 0;
        struct epoll_event e = {EPOLLIN, {.ptr = c}};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    }
    return 0;
}

/* ---------- responder ---------- */
static tpl_t atpl[8];
static int natpl;
static uint64_t nreq, nbase;
static int resp_msg(conn_t *c, uint8_t *m, size_t n) {
    uint32_t code = g24(m + 5);
    uint8_t *w;
    if (!(m[4] & 0x80))
        return 0;
    if (code == 257 || code == 280 || code == 282) {
        w = wres(c, 1024);
        c->wl += mk_base(w, code, 0, g32(m + 12), g32(m + 16), ohost, orealm, code == 257);
        nbase++;
        return code == 282 ? 1 : 0;
    }
    tpl_t *t = NULL;
    for (int i = 0; i < natpl; i++)
        if (atpl[i].code == code)
            t = &atpl[i];
    nreq++;
    if (!t) {
        w = wres(c, 1024);
        size_t l = mk_base(w, code, 0, g32(m + 12), g32(m + 16), ohost, orealm, 0);
        memcpy(w + 8, m + 8, 4);
        w[4] = 0x20 | (m[4] & 0x40);
        p32(w + 28, 3001);
        c->wl += l;
        return 0;
    }
    /* walk request: Session-Id, identity digits, Proxy-Info */
    const uint8_t *sid = NULL;
    size_t sl = 0;
    const uint8_t *idp = NULL;
    size_t idl = 0;
    const uint8_t *pi[8];
    size_t pl[8];
    int np = 0;
    for (size_t o = 20; o + 8 <= n;) {
        uint32_t ac = g32(m + o), l = g24(m + o + 5);
        if (l < 8 || o + l > n)
            break;
        size_t pad = (l + 3) & ~3u;
        if (ac == 263) {
            sid = m + o;
            sl = pad;
        } else if (ac == 1 || (ac == 601 && !idp)) {
            idp = m + o + 8;
            idl = l - 8;
        } else if (ac == 284 && np < 8) {
            pi[np] = m + o;
            pl[np++] = pad;
        }
        o += pad;
    }
    w = wres(c, t->n + 4096);
    memcpy(w, t->b, t->n);
    memcpy(w + 12, m + 12, 8);
    w[4] = (w[4] & ~0x40) | (m[4] & 0x40);
    if (sid && t->ssz && ((t->ssz + 3) & ~3u) == sl)
        memcpy(w + 20, sid, sl);
    if (idp && t->nu) {
        int run = 0;
        for (size_t i = 0; i < idl; i++) {
            if (idp[i] >= '0' && idp[i] <= '9') {
                if (++run == 8) {
                    for (int k = 0; k < t->nu; k++)
                        memcpy(w + t->um[k], idp + i - 7, 8);
                    break;
                }
            } else
                run = 0;
        }
    }
    size_t l = t->n;
    for (int i = 0; i < np; i++) {
        memcpy(w + l, pi[i], pl[i]);
        l += pl[i];
    }
    p24(w + 1, l);
    c->wl += l;
    return 0;
}

/* ---------- load ---------- */
static tpl_t qtpl[16];
static int nq;
static uint64_t seq, done, *ts;
static uint32_t mask;
static uint64_t t_start, t_meas, t_end;
static uint32_t *lat, *late; /* of answers since due; of requests, by this load itself: tenths of us */
static size_t nlat, nlate, clat;
static uint64_t rc2, rcerr, mism, idbad, measured;
static uint32_t lastrc;
static int inflight;
static void send_req(conn_t *c, uint64_t stamp) {
    tpl_t *t = &qtpl[seq % nq];
    uint8_t *w = wres(c, t->n);
    memcpy(w, t->b, t->n);
    uint32_t s = (uint32_t)seq;
    uint32_t u = (uint32_t)((seq * 7919u) % users);
    p32(w + 12, s);
    p32(w + 16, s ^ 0x5a5a5a5au);
    for (int i = 0; i < t->nu; i++)
        dig8(w + t->um[i], u);
    for (int i = 0; i < t->ns; i++)
        hex8(w + t->sm[i], s);
    ts[s & mask] = stamp;
    seq++;
    inflight++;
    c->wl += t->n;
}
static int load_msg(conn_t *c, uint8_t *m, size_t n, uint64_t now) {
    uint32_t code = g24(m + 5);
    if (m[4] & 0x80) {
        if (code == 280 || code == 282) {
            uint8_t *w = wres(c, 1024);
            char h[64];
            snprintf(h, 64, ohost, c->idx);
            c->wl += mk_base(w, code, 0, g32(m + 12), g32(m + 16), h, orealm, 0);
            return code == 282;
        }
        return 0;
    }
    if (code == 257) {
        uint32_t rc = 0;
        for (size_t o = 20; o + 8 <= n;) {
            uint32_t l = g24(m + o + 5);
            if (g32(m + o) == 268)
                rc = g32(m + o + 8);
            o += (l + 3) & ~3u;
        }
        if (rc != 2001) {
            fprintf(stderr, "CEA result %u\n", rc);
            exit(2);
        }
        c->open = 1;
        return 0;
    }
    if (code == 280 || code == 282)
        return 0;
    uint32_t s = g32(m + 12);
    if (g32(m + 16) != (s ^ 0x5a5a5a5au)) {
        mism++;
        return 0;
    }
    inflight--;
    done++;
    uint32_t rc = 0;
    const uint8_t *un = NULL;
    size_t ul = 0;
    for (size_t o = 20; o + 8 <= n;) {
        uint32_t ac = g32(m + o), l = g24(m + o + 5);
        if (l < 8)
            break;
        if (ac == 268)
            rc = g32(m + o + 8);
        else if (ac == 297) {
            for (size_t q = o + 8; q + 8 <= o + l;) {
                uint32_t l2 = g24(m + q + 5);
                if (g32(m + q) == 298)
                    rc = g32(m + q + 8);
                q += (l2 + 3) & ~3u;
            }
        } else if (ac == 1) {
            un = m + o + 8;
            ul = l - 8;
        }
        if (rc && (!verify || un))
            break;
        o += (l + 3) & ~3u;
    }
    if (rc >= 2000 && rc < 3000)
        rc2++;
    else {
        rcerr++;
        lastrc = rc;
    }
    if (verify && un) {
        tpl_t *t = &qtpl[s % nq];
        if (t->un_len) {
            uint8_t e[256];
            memcpy(e, t->b + t->un_off, t->un_len);
            uint32_t u = (uint32_t)(((uint64_t)s * 7919u) % users);
            for (int i = 0; i < t->nu; i++)
                if (t->um[i] >= t->un_off && t->um[i] < t->un_off + t->un_len)
                    dig8(e + t->um[i] - t->un_off, u);
            if (ul != (size_t)t->un_len || memcmp(un, e, ul))
                idbad++;
        }
    }
    if (now >= t_meas && now < t_end) {
        measured++;
        if (nlat < clat)
            lat[nlat++] = (uint32_t)((now - ts[s & mask]) / 100);
    }
    return 0;
}
static int cmpu(const void *a, const void *b) {
    uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b;
    return x < y ? -1 : x > y;
}
static double q(const uint32_t *v, size_t n, double p) {
    if (!n)
        return 0;
    size_t i = (size_t)(p * n);
    if (i >= n)
        i = n - 1;
    return v[i] / 10.0;
}

typedef int (*msgcb)(conn_t *, uint8_t *, size_t, uint64_t);
static int resp_cb(conn_t *c, uint8_t *m, size_t n, uint64_t t) {
    (void)t;
    return resp_msg(c, m, n);
}
static int rd(conn_t *c, msgcb cb) {
    ssize_t k = recv_c(c, c->rb + c->rl, RB - c->rl);
    if (k == 0)
        return -1;
    if (k < 0)
        return errno == EAGAIN ? 0 : -1;
    c->rl += k;
    size_t o = 0;
    uint64_t t = now_ns();
    int fin = 0;
    while (c->rl - o >= 20) {
        size_t l = g24(c->rb + o + 1);
        if (c->rb[o] != 1 || l < 20) {
            fprintf(stderr, "bad frame\n");
            return -1;
        }
        if (c->rl - o < l)
            break;
        if (cb(c, c->rb + o, l, t) == 1)
            fin = 1;
        o += l;
    }
    if (o) {
        memmove(c->rb, c->rb + o, c->rl - o);
        c->rl -= o;
    }
    return fin ? 1 : 0;
}
static int mklisten(int p) {
    int s = socket(AF_INET, SOCK_STREAM, 0), o = 1;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &o, sizeof o);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(p)};
    inet_pton(AF_INET, addr, &a.sin_addr);
    if (bind(s, (void *)&a, sizeof a) || listen(s, 128))
        die("bind/listen");
    fcntl(s, F_SETFL, O_NONBLOCK);
    return s;
}
static int mkconn(int p) {
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(p)};
    inet_pton(AF_INET, addr, &a.sin_addr);
    if (connect(s, (void *)&a, sizeof a))
        die("connect");
    nb(s);
    return s;
}
static conn_t *mkc(int fd) {
    conn_t *c = calloc(1, sizeof *c);
    c->fd = fd;
    c->rb = malloc(RB);
    struct epoll_event e = {EPOLLIN, {.ptr = c}};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    return c;
}
static void drop(conn_t *c) {
    SSL_free(c->tls);
    close(c->fd);
    free(c->rb);
    free(c->wb);
    free(c);
}

static int do_resp(void) {
    static const char *n[] = {"uaa", "saa", "lia", "maa"};
    for (int i = 0; i < 4; i++)
        atpl[natpl++] = load_tpl(n[i]);
    tls_setup();
    int ls = mklisten(port);
    struct epoll_event e = {EPOLLIN, {.ptr = NULL}}, ev[64];
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    while (!stop_flag) {
        int k = epoll_wait(ep, ev, 64, 1000);
        for (int i = 0; i < k; i++) {
            conn_t *c = ev[i].data.ptr;
            if (!c) {
                int fd = accept(ls, NULL, NULL);
                SSL *tls = fd >= 0 && tls_ctx ? tls_accept(fd) : NULL;
                if (fd >= 0 && tls_ctx && !tls) {
                    close(fd);
                } else if (fd >= 0) {
                    nb(fd);
                    mkc(fd)->tls = tls;
                }
                continue;
            }
            int r = 0;
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                do
                    r = rd(c, resp_cb);
                while (r == 0 && c->tls && SSL_pending(c->tls));
            if (r < 0) {
                drop(c);
                continue;
            }
            if (flush_c(c) < 0 || r == 1)
                drop(c);
        }
    }
    if (!quiet)
        fprintf(stderr, "resp: %lu requests, %lu base\n", nreq, nbase);
    return 0;
}

static int do_load(void) {
    char *m = strdup(mix);
    for (char *p = strtok(m, ","); p; p = strtok(NULL, ","))
        qtpl[nq++] = load_tpl(p);
    uint32_t sz = 1;
    while (sz < (uint32_t)outst * 8 || sz < 65536 * 16)
        sz <<= 1;
    mask = sz - 1;
    ts = calloc(sz, 8);
    clat = 40000000;
    lat = malloc(clat * 4ul);
    late = malloc(clat * 4ul);
    conn_t **cs = calloc(nconn, sizeof *cs);
    struct epoll_event ev[64];
    for (int i = 0; i < nconn; i++) {
        cs[i] = mkc(mkconn(port));
        cs[i]->idx = i;
        uint8_t *w = wres(cs[i], 1024);
        char h[64];
        snprintf(h, 64, ohost, i);
        cs[i]->wl += mk_base(w, 257, 1, 1, 1, h, orealm, 1);
        flush_c(cs[i]);
    }
    uint64_t t0 = now_ns();
    for (;;) {
        int k = epoll_wait(ep, ev, 64, 100);
        for (int i = 0; i < k; i++)
            if (rd(ev[i].data.ptr, load_msg) < 0) {
                fprintf(stderr, "closed during CER\n");
                return 2;
            }
        int ok = 1;
        for (int i = 0; i < nconn; i++)
            ok &= cs[i]->open;
        if (ok)
            break;
        if (now_ns() - t0 > 10e9) {
            fprintf(stderr, "CER timeout\n");
            return 2;
        }
    }
    fprintf(stderr, "READY\n");
    t_start = now_ns();
    t_meas = t_start + (uint64_t)(warm * 1e9);
    t_end = t_meas + (uint64_t)(dur * 1e9);
    int rr = 0;
    uint64_t last = 0, lastdone = 0, stall = t_start;
    struct rusage ru0, ru1;
    int meas0 = 0;
    if (!rate) {
        for (int i = 0; i < outst; i++)
            send_req(cs[rr++ % nconn], now_ns());
        for (int i = 0; i < nconn; i++)
            flush_c(cs[i]);
    }
    uint64_t sent_sched = 0;
    while (!stop_flag) {
        uint64_t t = now_ns();
        if (t >= t_end)
            break;
        if (!meas0 && t >= t_meas) {
            meas0 = 1;
            getrusage(RUSAGE_SELF, &ru0);
        }
        int k;
        if (rate) {
            uint64_t due = (uint64_t)((t - t_start) * 1e-9 * rate);
            int b = 0;
            while (sent_sched < due && b < 4096 && inflight < (int)(mask / 2)) {
                uint64_t when = t_start + (uint64_t)((sent_sched + 1) / rate * 1e9), now = now_ns();
                if (now >= t_meas && nlate < clat)
                    late[nlate++] = now > when ? (uint32_t)((now - when) / 100) : 0;
                send_req(cs[rr++ % nconn], when);
                sent_sched++;
                b++;
            }
            for (int i = 0; i < nconn; i++)
                if (cs[i]->wl)
                    flush_c(cs[i]);
            uint64_t nx = t_start + (uint64_t)((sent_sched + 1) / rate * 1e9), tn = now_ns();
            struct timespec tv = {0, nx > tn ? (nx - tn > 999999999 ? 999999999 : nx - tn) : 0};
            k = epoll_pwait2(ep, ev, 64, &tv, NULL);
        } else
            k = epoll_wait(ep, ev, 64, 50);
        for (int i = 0; i < k; i++) {
            conn_t *c = ev[i].data.ptr;
            uint64_t before = done;
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                int r = rd(c, load_msg);
                if (r < 0) {
                    fprintf(stderr, "peer closed; done=%lu inflight=%d\n", done, inflight);
                    t_end = now_ns();
                    stop_flag = 1;
                    break;
                }
            }
            if (!rate) {
                uint64_t n2 = now_ns();
                for (uint64_t j = before; j < done; j++)
                    send_req(c, n2);
            }
            if (c->wl)
                flush_c(c);
        }
        if (t - last > 1000000000ull) {
            if (done == lastdone && t - stall > 5000000000ull) {
                fprintf(stderr, "stalled: done=%lu inflight=%d\n", done, inflight);
                t_end = t;
                break;
            }
            if (done != lastdone)
                stall = t;
            lastdone = done;
            last = t;
        }
    }
    getrusage(RUSAGE_SELF, &ru1);
    double secs = (t_end - t_meas) / 1e9;
    if (secs <= 0)
        secs = 1e-9;
    double cpu = (ru1.ru_utime.tv_sec - ru0.ru_utime.tv_sec) + (ru1.ru_stime.tv_sec - ru0.ru_stime.tv_sec) +
                 1e-6 * ((ru1.ru_utime.tv_usec - ru0.ru_utime.tv_usec) + (ru1.ru_stime.tv_usec - ru0.ru_stime.tv_usec));
    qsort(lat, nlat, 4, cmpu);
    qsort(late, nlate, 4, cmpu);
    printf("{\"outstanding\":%d,\"conns\":%d,\"rate\":%.0f,\"secs\":%.2f,\"measured\":%lu,\"rps\":%.0f,\"p50_us\":%.1f,"
           "\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"late_p50_us\":%.1f,"
           "\"ok\":%lu,\"err\":%lu,\"last_err\":%u,\"mismatch\":%lu,\"id_bad\":%lu,\"inflight_end\":%d,"
           "\"load_cpu_us_per_req\":%.2f}\n",
           outst, nconn, rate, secs, measured, measured / secs, q(lat, nlat, .5), q(lat, nlat, .9), q(lat, nlat, .99),
           q(lat, nlat, .999), nlat ? lat[nlat - 1] / 10.0 : 0, q(late, nlate, .5), rc2, rcerr, lastrc, mism, idbad,
           inflight, measured ? cpu * 1e6 / measured : 0);
    for (int i = 0; i < nconn; i++) {
        uint8_t *w = wres(cs[i], 1024);
        char h[64];
        snprintf(h, 64, ohost, i);
        cs[i]->wl += mk_base(w, 282, 1, 2, 2, h, orealm, 0);
        flush_c(cs[i]);
    }
    usleep(50000);
    return 0;
}

static int do_splice(void) {
    int ls = mklisten(port);
    uint8_t *b = malloc(ksize);
    struct epoll_event e = {EPOLLIN, {.ptr = NULL}}, ev[64];
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    while (!stop_flag) {
        int k = epoll_wait(ep, ev, 64, 1000);
        for (int i = 0; i < k; i++) {
            conn_t *c = ev[i].data.ptr;
            if (!c) {
                int fd = accept(ls, NULL, NULL);
                if (fd < 0)
                    continue;
                nb(fd);
                int d = mkconn(dport);
                conn_t *x = mkc(fd), *y = mkc(d);
                x->peer = d;
                y->peer = fd;
                continue;
            }
            ssize_t n = recv(c->fd, b, ksize, 0);
            if (n <= 0) {
                if (n < 0 && errno == EAGAIN)
                    continue;
                close(c->fd);
                shutdown(c->peer, SHUT_RDWR);
                continue;
            }
            ssize_t o = 0;
            while (o < n) {
                ssize_t w = send(c->peer, b + o, n - o, MSG_NOSIGNAL);
                if (w < 0) {
                    if (errno == EAGAIN) {
                        usleep(50);
                        continue;
                    }
                    break;
                }
                o += w;
            }
        }
    }
    return 0;
}

int main(int ac, char **av) {
    if (ac < 2) {
        fprintf(stderr, "usage: diabench resp|load|splice ...\n");
        return 1;
    }
    if (prctl(PR_SET_TIMERSLACK, 1UL)) { /* the kernel's 50 us would be counted as the relay's */
        perror("prctl(PR_SET_TIMERSLACK)");
        return 1;
    }
    signal(SIGINT, onsig);
    signal(SIGTERM, onsig);
    signal(SIGPIPE, SIG_IGN);
    state_id = time(NULL);
    ep = epoll_create1(0);
    if (!strcmp(av[1], "load")) {
        ohost = "client%d.client.example.org";
        orealm = "client.example.org";
    }
    int o;
    optind = 2;
    while ((o = getopt(ac, av, "p:P:H:R:T:n:d:w:c:m:u:r:k:a:C:K:A:qVF")) != -1)
        switch (o) {
        case 'C':
            tls_cert = optarg;
            break;
        case 'K':
            tls_key = optarg;
            break;
        case 'A':
            tls_ca = optarg;
            break;
        case 'p':
            port = atoi(optarg);
            break;
        case 'P':
            dport = atoi(optarg);
            break;
        case 'H':
            ohost = optarg;
            break;
        case 'R':
            orealm = optarg;
            break;
        case 'T':
            tdir = optarg;
            break;
        case 'n':
            outst = atoi(optarg);
            break;
        case 'd':
            dur = atof(optarg);
            break;
        case 'w':
            warm = atof(optarg);
            break;
        case 'c':
            nconn = atoi(optarg);
            break;
        case 'm':
            mix = optarg;
            break;
        case 'u':
            users = atoi(optarg);
            break;
        case 'r':
            rate = atof(optarg);
            break;
        case 'k':
            ksize = atoi(optarg);
            break;
        case 'a':
            addr = optarg;
            break;
        case 'q':
            quiet = 1;
            break;
        case 'V':
            verify = 1;
            break;
        case 'F':
            relayapp = 1;
            break;
        default:
            return 1;
        }
    if (!strcmp(av[1], "resp"))
        return do_resp();
    if (!strcmp(av[1], "load"))
        return do_load();
    if (!strcmp(av[1], "splice"))
        return do_splice();
    return 1;
}
