/* What is told of a transfer: its times, where its connection goes, and why it failed. */
#include "http_client_int.h"

/* ---- what is measured ------------------------------------------------------------------------ */

static uint64_t since_start(const http_transfer_t *t, uint64_t at_us)
{
    return at_us > t->started_us ? at_us - t->started_us : 0;
}

/* Steps that were not taken cost nothing: each is done when the one before it is. */
void http_transfer__note_times(http_transfer_t *t)
{
    http_transfer_info_t *info = &t->info;
    http_exchange_times_t times;
    http_hop_times_t *hop = t->hop_count ? &t->hops[t->hop_count - 1] : NULL;

    http_exchange_times(t->exchange, &times);
    info->resolved_us = since_start(t, times.resolved_us ? times.resolved_us : times.started_us);
    info->connected_us = since_start(t, times.connected_us);
    if (info->connected_us == 0)
        info->connected_us = info->resolved_us;
    info->tls_us = since_start(t, times.tls_us);
    info->sent_us = since_start(t, times.sent_us);
    info->first_byte_us = since_start(t, times.first_byte_us);
    if (!hop)
        return;
    hop->resolved_us = since_start(t, times.resolved_us);
    hop->connected_us = since_start(t, times.connected_us);
    hop->tls_us = since_start(t, times.tls_us);
    hop->sent_us = since_start(t, times.sent_us);
    hop->first_byte_us = since_start(t, times.first_byte_us);
    hop->reused = times.reused;
}

void http_transfer__note_addresses(http_transfer_t *t, hio_t *io)
{
    http_transfer_info_t *info = &t->info;
    const struct sockaddr *local = hio_localaddr(io), *remote = hio_peeraddr(io);

    info->local_ip[0] = info->remote_ip[0] = '\0';
    info->local_port = info->remote_port = 0;
    if (remote->sa_family == AF_UNIX)
        return;
    haddr_ip(local, info->local_ip, sizeof(info->local_ip));
    info->local_port = (uint16_t)haddr_port(local);
    haddr_ip(remote, info->remote_ip, sizeof(info->remote_ip));
    info->remote_port = (uint16_t)haddr_port(remote);
}

/* ---- public ---------------------------------------------------------------------------------- */

const char *http_transfer_error(const http_transfer_t *transfer)
{
    if (transfer->fault == HTTP_FAULT_NONE)
        return "";
    return transfer->error.len > 0 ? transfer->error.data : "out of memory";
}

void http_transfer_info(const http_transfer_t *transfer, http_transfer_info_t *info)
{
    *info = transfer->info;
    info->method = transfer->method;
    info->redirect_url = transfer->redirect_url ? transfer->redirect_url : "";
    info->content_type = transfer->content_type ? transfer->content_type : "";
    info->referer = transfer->referer ? transfer->referer : "";
    if (!transfer->closing)
        info->total_us = http_transfer__now_us(transfer);
}

size_t http_transfer_hops(const http_transfer_t *transfer, const http_hop_times_t **hops)
{
    *hops = transfer->hops;
    return transfer->hop_count;
}

hio_t *http_transfer_io(const http_transfer_t *transfer)
{
    return transfer->exchange ? http_exchange_io(transfer->exchange) : NULL;
}

void *http_transfer_userdata(const http_transfer_t *transfer)
{
    return transfer->userdata;
}

hloop_t *http_transfer_loop(const http_transfer_t *transfer)
{
    return transfer->client->loop;
}
