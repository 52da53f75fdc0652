import Glibc
import NIOCore
import NIOPosix

/// One connection through the proxy: the client's side, the server's side, and a flow for each direction. Lives on one event loop.
final class Link {
    private let proxy: FaultProxy
    private let number: Int
    private let client: any Channel
    private var server: (any Channel)?
    private(set) var toServer: Flow
    private(set) var toClient: Flow
    private var closedSides: Set<LinkFault.Direction> = []
    private let isRefused: Bool

    init(_ client: any Channel, of proxy: FaultProxy, number: Int, fault: LinkFault?, isRefused: Bool) {
        self.client = client
        self.isRefused = isRefused
        self.proxy = proxy
        self.number = number
        weak var weakSelf: Link?
        func flow(_ direction: LinkFault.Direction) -> Flow {
            Flow(
                direction,
                shaper: proxy.shaper(direction, connection: number),
                rewriter: direction == .toClient ? proxy.rewriter() : nil,
                fault: fault,
                loop: client.eventLoop,
                count: { [proxy] in proxy.count(bytes: $0, direction) },
                reset: { weakSelf?.reset() }
            )
        }
        toServer = flow(.toServer)
        toClient = flow(.toClient)
        weakSelf = self
    }

    /// A side is open. With the client's, the server's is made; the client waits meanwhile. Not before: a channel that was just
    /// accepted cannot be closed yet, and the server may be quick.
    func opened(_ side: LinkFault.Direction) {
        guard side == .toServer else { return }
        if isRefused { return reset() }
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        ClientBootstrap(group: client.eventLoop)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    let link = bound.value
                    try server.pipeline.syncOperations.addHandler(FlowHandler(link.toClient, of: link))
                }
            }
            .connect(host: proxy.host, port: proxy.upstream)
            .whenComplete { result in bound.value.connected(result) }
    }

    private func connected(_ result: Result<any Channel, any Error>) {
        guard case .success(let server) = result, client.isActive else {
            if case .success(let server) = result { server.close(promise: nil) }
            return reset()
        }
        self.server = server
        toServer.connected(to: server)
        toClient.connected(to: client)
    }

    /// The proxy's fault is another one now.
    func faultChanged(_ fault: LinkFault?, breaks: Bool) {
        if breaks || toServer.isHoled || toClient.isHoled { return reset() }
        toServer.faultChanged(fault)
        toClient.faultChanged(fault)
    }

    /// One side is gone.
    func closed(_ side: LinkFault.Direction) {
        closedSides.insert(side)
        if closedSides.count == 2 || server == nil { finish() }
    }

    /// Breaks both connections with a reset.
    func reset() {
        proxy.countReset()
        for channel in [client, server].compactMap(\.self) { Self.reset(channel) }
        finish()
    }

    /// Closes a channel with a reset instead of an orderly end.
    static func reset(_ channel: any Channel) {
        if let options = channel as? any SocketOptionProvider {
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        } else {
            channel.close(promise: nil)
        }
    }

    private func finish() {
        toServer.close()
        toClient.close()
        proxy.forget(number)
    }
}
