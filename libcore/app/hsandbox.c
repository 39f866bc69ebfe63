/* hsandbox: Landlock through its system calls, as the C library has no functions for them, and a
 * filter of our own for seccomp: a list of calls that are refused. A list of what is allowed would
 * be stricter, but nobody can write it: libraries that are loaded at run time (OpenSSL, c-ares,
 * the resolver of the C library) make other calls in each version, and a server that is killed for
 * an update of its C library is no safer. Such a list is thirty lines, for which libseccomp would
 * have to be loaded at every start. */
#include "hsandbox.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/herr.h"

/* ---- Landlock -------------------------------------------------------------------------------- */

/* As in linux/landlock.h, which is not everywhere, and old in places. */
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define RULE_PATH_BENEATH 1
#define ASK_VERSION 1U

#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_ALL_1 ((1ULL << 13) - 1) /* version 1: making and removing of each type, too */
#define FS_REFER (1ULL << 13)       /* version 2: moving between folders */
#define FS_TRUNCATE (1ULL << 14)    /* version 3 */
#define FS_IOCTL_DEV (1ULL << 15)   /* version 5 */

#define FS_OF_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define FS_READ (FS_READ_FILE | FS_READ_DIR)
/* No devices, sockets or FIFOs. */
#define FS_WRITE                                                                                   \
    (FS_READ | FS_WRITE_FILE | FS_TRUNCATE | FS_REFER | (1ULL << 4) | (1ULL << 5) | (1ULL << 7) |  \
     (1ULL << 8))

typedef struct ruleset_attr_s {
    uint64_t handled_fs;
} ruleset_attr_t;

typedef struct path_attr_s {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed)) path_attr_t;

/* What a kernel of this version knows. */
static uint64_t handled_rights(long version)
{
    uint64_t rights = FS_ALL_1;

    if (version >= 2)
        rights |= FS_REFER;
    if (version >= 3)
        rights |= FS_TRUNCATE;
    if (version >= 5)
        rights |= FS_IOCTL_DEV;
    return rights;
}

static int allow_path(int ruleset, const char *path, uint64_t rights)
{
    path_attr_t attr = {.allowed = rights, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat st;
    int err = 0;

    if (attr.parent_fd < 0)
        return -errno;
    if (fstat(attr.parent_fd, &st) < 0)
        err = -errno;
    else if (!S_ISDIR(st.st_mode))
        attr.allowed &= FS_OF_FILE;
    if (!err && syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &attr, 0) < 0)
        err = -errno;
    close(attr.parent_fd);
    return err;
}

static const char *const system_paths[] = {"/usr/lib",
                                           "/usr/lib64",
                                           "/usr/local/lib",
                                           "/usr/share/zoneinfo",
                                           "/usr/share/publicsuffix",
                                           "/lib",
                                           "/lib64",
                                           "/dev/null",
                                           "/etc/ld.so.cache",
                                           "/etc/localtime",
                                           "/etc/resolv.conf",
                                           "/etc/hosts",
                                           "/etc/host.conf",
                                           "/etc/nsswitch.conf",
                                           "/etc/services",
                                           "/etc/gai.conf",
                                           "/etc/ssl",
                                           "/etc/pki",
                                           "/run/systemd/resolve",
                                           NULL};

/* Those that do not exist are left out. */
static int allow_reading(int ruleset, const char *const *paths, uint64_t handled)
{
    for (; paths != NULL && *paths != NULL; paths++) {
        int err = allow_path(ruleset, *paths, FS_READ & handled);

        if (err == -ENOMEM)
            return err;
    }
    return 0;
}

static int allow_all(int ruleset, const hsandbox_options_t *options, uint64_t handled,
                     hbytes_t *note)
{
    int status = allow_reading(ruleset, options->read, handled);

    if (status == 0 && options->system)
        status = allow_reading(ruleset, system_paths, handled);
    if (status != 0)
        return status;
    for (const char *const *path = options->write; path != NULL && *path != NULL; path++) {
        int err = allow_path(ruleset, *path, FS_WRITE & handled);

        if (err < 0) {
            hbytes_printf(note, "%s: %s", *path, herr_str(err));
            return err;
        }
    }
    return 0;
}

static int enter_landlock(const hsandbox_options_t *options, hbytes_t *note)
{
    long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
    ruleset_attr_t attr = {.handled_fs = handled_rights(version)};
    int ruleset, err;

    if (version < 1) {
        hbytes_append_str(note, "this kernel has no Landlock, or it is off");
        return 0;
    }
    ruleset = (int)syscall(CREATE_RULESET, &attr, sizeof(attr), 0);
    if (ruleset < 0)
        return -errno;
    err = allow_all(ruleset, options, attr.handled_fs, note);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    allow_path(ruleset, "/proc", FS_READ & attr.handled_fs); /* they look at themselves there */
#endif
    if (!err && syscall(RESTRICT_SELF, ruleset, 0) < 0)
        err = -errno;
    close(ruleset);
    return err ? err : HSANDBOX_LANDLOCK;
}

/* ---- seccomp --------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#define X32_BIT 0x40000000U
#define SPEC_ALLOW (1UL << 2) /* SECCOMP_FILTER_FLAG_SPEC_ALLOW */

static const uint16_t refused[] = {
    /* other programs */
    SYS_execve,
    SYS_execveat,
/* other processes; the leak checker stops its own threads */
#ifndef __SANITIZE_ADDRESS__
    SYS_ptrace,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    /* file systems, and ways around the rights of paths */
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_open_by_handle_at,
    SYS_mknodat,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    SYS_acct,
    /* namespaces */
    SYS_unshare,
    SYS_setns,
    /* the kernel itself */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_reboot,
    SYS_syslog,
    SYS_personality,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_lookup_dcookie,
    SYS_vhangup,
    /* the machine's clock and name */
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
#ifdef __x86_64__
    SYS_mknod,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS_ustat,
    SYS_sysfs,
#endif
};

#define REFUSED_COUNT (sizeof(refused) / sizeof(refused[0]))
#define PROGRAM_MAX (REFUSED_COUNT + 10)

/* The filter looks at no arguments: so the kernel (5.11) knows without running it what it allows,
 * and some 40 ns for each call are left. Kernels before 5.16 would slow all of the process down as
 * well, against foreign code that it runs (Spectre 4), unless a filter says that nobody needs that;
 * those before 4.17 do not know the flag. */
static int load_filter(const struct sock_fprog *prog)
{
    long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SPEC_ALLOW, prog);

    if (rc < 0 && errno == EINVAL)
        rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog);
    return rc < 0 ? -errno : HSANDBOX_SECCOMP;
}

static int enter_seccomp(void)
{
    struct sock_filter program[PROGRAM_MAX];
    struct sock_fprog prog = {.filter = program};
    size_t n = 0;
    uint8_t left;

    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
#endif
    left = (uint8_t)REFUSED_COUNT; /* instructions from a match to the refusal */
    for (size_t i = 0; i < REFUSED_COUNT; i++, left--)
        program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], left, 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    prog.len = (unsigned short)n;
    return load_filter(&prog);
}

#else

static int enter_seccomp(void)
{
    return -ENOSYS;
}

#endif

/* ---- both ------------------------------------------------------------------------------------ */

int hsandbox_enter(const hsandbox_options_t *options, hbytes_t *note)
{
    int landlock, seccomp;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        hbytes_append_str(note, "this kernel is too old for a sandbox");
        return 0;
    }
    landlock = enter_landlock(options, note);
    if (landlock < 0) {
        if (note->len == 0)
            hbytes_printf(note, "Landlock: %s", herr_str(landlock));
        return landlock;
    }
    seccomp = enter_seccomp();
    if (seccomp >= 0)
        return landlock | seccomp;
    hbytes_printf(note, "%sno seccomp: %s", note->len > 0 ? "; " : "", herr_str(seccomp));
    return landlock;
}
