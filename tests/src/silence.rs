//! A kernel that never answers, where the real one always does.

use crate::host::Host;
use crate::impostor::library;

/// Requests by netlink of the types that `LOST` names (numbers of rtnetlink(7) with commas between,
/// or `all`) are taken and never come to the kernel.
const LOSING: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int is_lost(int fd, const void *data, size_t length) {
    int domain = 0;
    socklen_t size = sizeof domain;
    const char *lost = getenv("LOST");
    char type[16], list[256];
    if (!lost || length < sizeof(struct nlmsghdr)) return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain != AF_NETLINK) return 0;
    if (!strcmp(lost, "all")) return 1;
    snprintf(type, sizeof type, ",%d,", ((const struct nlmsghdr *)data)->nlmsg_type);
    snprintf(list, sizeof list, ",%s,", lost);
    return strstr(list, type) != NULL;
}

ssize_t sendto(int fd, const void *data, size_t length, int flags,
    const struct sockaddr *to, socklen_t size) {
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) =
        dlsym(RTLD_NEXT, "sendto");
    return is_lost(fd, data, length) ? (ssize_t)length : real(fd, data, length, flags, to, size);
}

ssize_t send(int fd, const void *data, size_t length, int flags) {
    return sendto(fd, data, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");
    const struct iovec *first = message->msg_iov;
    int lost = is_lost(fd, first->iov_base, first->iov_len);
    return lost ? (ssize_t)first->iov_len : real(fd, message, flags);
}
"#;

/// The library with which a program's netlink requests are lost; see the variable `LOST`.
#[must_use]
pub fn netlink(host: &Host) -> String {
    library(host, "losing", LOSING)
}
