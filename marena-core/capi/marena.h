/* The C interface of marena: a lock-free bump allocator over memory that the caller supplies.
 *
 * Every function may be called from any thread and from interrupt handlers, but for marena_init, marena_attach and
 * marena_reset: nothing else may use the arena while one of them runs.
 *
 * Every argument is checked: null, misaligned and overlong pointers, sizes and alignments that cannot be, and addresses that
 * are not the arena's come back as an error code, and nothing has changed then. A pointer that is neither null nor valid is
 * the one thing that cannot be told from a good one.
 *
 * Generated from marena-core/capi by cbindgen. */

#ifndef MARENA_H
#define MARENA_H

#include <stddef.h>
#include <stdint.h>

// The outcome of a call. Whatever is not `MARENA_OK` changed nothing.
enum marena_status_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  // It is done.
  MARENA_OK = 0,
  // A pointer is null.
  MARENA_ERROR_NULL = 1,
  // A pointer is not aligned to its type, or a region not to 128 bytes.
  MARENA_ERROR_MISALIGNED = 2,
  // A region has no room for the 128-byte header and one block of 8 bytes.
  MARENA_ERROR_TOO_SMALL = 3,
  // A region is larger than 2^31 bytes, than half the address space, or reaches past its end; an
  // array likewise.
  MARENA_ERROR_TOO_LARGE = 4,
  // `marena_init` over memory that holds an arena: attach to it, or zero its first 128 bytes if
  // it is of no use.
  MARENA_ERROR_IN_USE = 5,
  // `marena_attach` over memory that holds no arena of this length, version and byte order, or a
  // damaged one.
  MARENA_ERROR_NOT_AN_ARENA = 6,
  // The `marena_t` was never initialised.
  MARENA_ERROR_UNINITIALISED = 7,
  // The size is more than any allocation can have: 2^31 - 1 bytes.
  MARENA_ERROR_SIZE = 8,
  // The alignment is no power of two.
  MARENA_ERROR_ALIGNMENT = 9,
  // The arena has too little room left.
  MARENA_ERROR_FULL = 10,
  // The address is not that of bytes that this arena has handed out.
  MARENA_ERROR_ADDRESS = 11,
  // A fault that this version of the header does not know.
  MARENA_ERROR_OTHER = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum marena_status_t marena_status_t;
#else
typedef int32_t marena_status_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// An arena: where its region is. Its storage is the caller's, usually static; zero it before its
// first use. It may be copied, and every copy is the same arena.
typedef struct marena_t {
  // For the library alone.
  uint64_t opaque[4];
} marena_t;

// Where a block lies: its offset from the region's start in the upper half, its size in the lower.
// 0 is no address.
typedef uint64_t marena_address_t;

// An arena's statistics, in bytes.
typedef struct marena_stats_t {
  // The whole region, its 128-byte header included.
  size_t capacity;
  // Handed out since the last reset, rounding and alignment included.
  size_t used;
  // What is left.
  size_t remaining;
  // The most that was ever used at once.
  size_t high_water;
  // Lost until the next reset.
  size_t stranded;
} marena_stats_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Makes an empty arena of `size` bytes at `region`, which must be aligned to 128 and hold
// initialised bytes (static memory does). The first 128 bytes are the arena's header.
//
// Memory that holds an arena already is an error, `MARENA_ERROR_IN_USE`, so that a second call
// cannot pull live memory from under anyone: `marena_attach` and `marena_reset` begin anew with
// it, and zeroing its first 128 bytes gives it up.
//
// # Safety
//
// - `arena` is null, misaligned, or the pointer of a `marena_t` that nobody uses meanwhile.
// - `region` is null, misaligned, or the start of `size` initialised bytes that nobody else uses
//   as long as the arena is used.
marena_status_t marena_init(struct marena_t *arena, void *region, size_t size);

// Finds the arena that is at `region` already, made by `marena_init` with the same `size`: before
// a restart, or by another core. What was allocated in it stays allocated.
//
// # Safety
//
// As for `marena_init`, except that others who attached to the region, or initialised it, may use
// it as well.
marena_status_t marena_attach(struct marena_t *arena, void *region, size_t size);

// Allocates `size` zeroed bytes, aligned to 8; `*address` becomes their address.
//
// # Safety
//
// - `arena` is null, misaligned, or the pointer of a `marena_t`, zeroed or initialised.
// - `address` is null, misaligned, or valid for a write.
marena_status_t marena_allocate(const struct marena_t *arena, size_t size, marena_address_t *address);

// As `marena_allocate`, at a multiple of `alignment` bytes, which is a power of two.
//
// # Safety
//
// As for `marena_allocate`.
marena_status_t marena_allocate_aligned(const struct marena_t *arena,
                                        size_t size,
                                        size_t alignment,
                                        marena_address_t *address);

// Allocates `count` blocks, side by side, or none: each size in the array is replaced by its
// block's address.
//
// # Safety
//
// - As for `marena_allocate`.
// - `sizes_in_addresses_out` is null, misaligned, or the start of `count` initialised numbers that
//   nobody else uses meanwhile, outside the arena's header.
marena_status_t marena_allocate_multiple(const struct marena_t *arena,
                                         marena_address_t *sizes_in_addresses_out,
                                         size_t count);

// The bytes at an address: `*bytes` becomes a pointer to them, valid until the next reset, and
// `*size` how many they are.
//
// An address is a number: one from before a reset, or from another arena, is an error unless it
// happens to name bytes that this arena has handed out.
//
// # Safety
//
// - As for `marena_allocate`.
// - `bytes` and `size` are null, misaligned, or valid for a write.
marena_status_t marena_view(const struct marena_t *arena, marena_address_t address, void **bytes, size_t *size);

// Takes everything back: the arena is empty, and every address and pointer from before is void.
//
// # Safety
//
// - As for `marena_allocate`.
// - Nobody uses the arena meanwhile, nor bytes from before afterwards.
marena_status_t marena_reset(const struct marena_t *arena);

// `*remaining` becomes the number of bytes left.
//
// # Safety
//
// - As for `marena_allocate`.
// - `remaining` is null, misaligned, or valid for a write.
marena_status_t marena_remaining(const struct marena_t *arena, size_t *remaining);

// `*stats` becomes the arena's statistics.
//
// # Safety
//
// - As for `marena_allocate`.
// - `stats` is null, misaligned, or valid for a write.
marena_status_t marena_stats(const struct marena_t *arena, struct marena_stats_t *stats);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MARENA_H */
