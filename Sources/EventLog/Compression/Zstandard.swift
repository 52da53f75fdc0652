import CCompression
import NIOCore

/// zstd, by its own library.
enum Zstandard: Decompressor {
    /// Frames that need a larger window than 2^23 bytes (which RFC 8878 asks decoders to support) are refused: the window
    /// is memory that the sender chooses.
    private static let maxWindowLog: Int32 = 23

    static func decompress(_ input: ByteBuffer, limit: Int) -> [UInt8]? {
        guard let context = ZSTD_createDCtx() else { return nil }
        defer { ZSTD_freeDCtx(context) }
        guard ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, maxWindowLog)) == 0 else { return nil }
        return input.withUnsafeReadableBytes { bytes in
            var source = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            return Decompression.unfold(limit: limit) { chunk in
                var target = ZSTD_outBuffer(dst: chunk.baseAddress, size: chunk.count, pos: 0)
                let before = source.pos
                let missing = ZSTD_decompressStream(context, &target, &source)
                let makesProgress = target.pos > 0 || source.pos > before
                guard ZSTD_isError(missing) == 0, makesProgress else { return nil }
                return (target.pos, isEnd: missing == 0 && source.pos == source.size)
            }
        }
    }
}
