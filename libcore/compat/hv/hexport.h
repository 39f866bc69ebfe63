/* Words that libhv's headers and programs decorate declarations with. */
#ifndef HV_HEXPORT_H
#define HV_HEXPORT_H

#define HV_EXPORT
#define HV_INLINE static inline
#define HV_UNUSED __attribute__((unused))
#define HV_DEPRECATED __attribute__((deprecated))

#ifdef __cplusplus
#define EXTERN_C extern "C"
#define BEGIN_EXTERN_C extern "C" {
#define END_EXTERN_C }
#define DEFAULT(x) = x
#define ENUM(e) enum e
#define STRUCT(s) struct s
#else
#define EXTERN_C extern
#define BEGIN_EXTERN_C
#define END_EXTERN_C
#define DEFAULT(x)
#define ENUM(e)                                                                                    \
    typedef enum e e;                                                                              \
    enum e
#define STRUCT(s)                                                                                  \
    typedef struct s s;                                                                            \
    struct s
#endif

#define STRUCT_DECL struct

#endif
