/* The C libraries that unfold compressed batches: zlib (gzip) and zstd. */
#ifndef CCOMPRESSION_SHIM_H
#define CCOMPRESSION_SHIM_H

#include <zlib.h>
#include <zstd.h>

#endif
