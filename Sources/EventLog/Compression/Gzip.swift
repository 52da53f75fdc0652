import CCompression
import NIOCore

/// gzip, by zlib.
enum Gzip: Decompressor {
    static func decompress(_ input: ByteBuffer, limit: Int) -> [UInt8]? {
        var stream = z_stream()
        // The largest window; 16 more asks for gzip's header instead of zlib's.
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, MAX_WBITS + 16, zlibVersion(), size) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        return input.withUnsafeReadableBytes { source in
            stream.next_in = UnsafeMutablePointer(mutating: source.bindMemory(to: UInt8.self).baseAddress)
            stream.avail_in = UInt32(clamping: source.count)
            return Decompression.unfold(limit: limit) { target in
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(clamping: target.count)
                let code = inflate(&stream, Z_NO_FLUSH)
                // An input that ends too early makes no progress, which is Z_BUF_ERROR.
                guard code == Z_OK || code == Z_STREAM_END else { return nil }
                return (target.count - Int(stream.avail_out), isEnd: code == Z_STREAM_END)
            }
        }
    }
}
