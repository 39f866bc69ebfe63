#include "fdpass.h"

#include "hnc.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static int send_fd(int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.space = {0}};
    char byte = '\0';
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control.space)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
    struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};

    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    while (sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (errno == EAGAIN && poll(&pfd, 1, -1) < 0 && errno != EINTR)
            return -errno;
    }
    return 0;
}

/* The one who gets it expects a descriptor that blocks, as a new one does. */
int fdpass_send(int fd)
{
    int err = hsocket_set_nonblocking(fd, false);

    if (err == 0)
        err = send_fd(fd);
    if (err == -ENOTSOCK || err == -EINVAL || err == -EOPNOTSUPP)
        hnc_say("cannot use -F: stdout is not a UNIX socket");
    else if (err)
        hnc_say("-F: %s", herr_str(err));
    return err ? 1 : 0;
}
