/* Atomic counters under libhv's names. */
#ifndef HV_HATOMIC_H
#define HV_HATOMIC_H

#ifdef __cplusplus
#include <atomic>

typedef std::atomic_flag hatomic_flag_t;
typedef std::atomic_long hatomic_t;
#else
#include <stdatomic.h>

typedef atomic_flag hatomic_flag_t;
typedef atomic_long hatomic_t;
#endif

#define HATOMIC_FLAG_INIT ATOMIC_FLAG_INIT
#define HATOMIC_VAR_INIT(value) (value)

#define hatomic_flag_test_and_set atomic_flag_test_and_set
#define hatomic_flag_clear atomic_flag_clear

#define hatomic_init atomic_init
#define hatomic_load atomic_load
#define hatomic_store atomic_store
#define hatomic_exchange atomic_exchange
#define hatomic_add atomic_fetch_add
#define hatomic_sub atomic_fetch_sub
#define hatomic_inc(p) atomic_fetch_add((p), 1)
#define hatomic_dec(p) atomic_fetch_sub((p), 1)

#endif
