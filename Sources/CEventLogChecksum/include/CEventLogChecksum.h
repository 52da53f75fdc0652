#ifndef C_EVENT_LOG_CHECKSUM_H
#define C_EVENT_LOG_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli) of `length` bytes at `bytes`, continued from `seed` (0 to start).
/// Uses the processor's instruction where there is one, a table otherwise. Thread safe.
uint32_t event_log_crc32c(uint32_t seed, const void *bytes, size_t length);

/// The same by table only; tests compare the two.
uint32_t event_log_crc32c_table(uint32_t seed, const void *bytes, size_t length);

#endif
