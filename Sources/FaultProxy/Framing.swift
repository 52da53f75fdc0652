/// What travels on a link, as far as a proxy must know: where a damaged byte can be noticed at all.
///
/// Plain TCP protocols without checksums cannot notice damage within their content (that is what TLS is for), so damage goes where
/// the protocol looks: the frame's end in AMQP, the start line in HTTP, the checksummed records in Kafka's protocol.
public enum Framing: Sendable, Hashable {
    /// Requests and answers that begin with a start line; damaged is the start line.
    case http
    /// AMQP 0-9-1; damaged is the octet that ends a frame.
    case amqp
    /// Kafka's protocol; damaged is the last byte of a frame of 512 bytes or more, which belongs to a record batch with a checksum.
    ///
    /// Servers of this protocol tell their clients where to connect. Answers that name `127.0.0.1` and the upstream's port are
    /// changed to name the proxy's port, so that clients stay behind the proxy.
    case kafka
}
