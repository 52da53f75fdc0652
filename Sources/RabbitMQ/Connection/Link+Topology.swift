extension Link {
    /// How long a new quorum queue needs until its registration is on disk.
    private static let registrationTime: Duration = .seconds(1)

    /// Declares everything on an open channel.
    ///
    /// When quorum queues are created by this, it takes a second longer: RabbitMQ 3.10 (Ra 2.0) writes the registration of a new
    /// queue to disk only half a second later, and a broker that is killed before then loses the queue's whole log, confirmed
    /// messages included. Nothing may therefore be published to a queue that is younger.
    func declare(_ topology: RabbitMQTopology, channel: UInt16) throws(RabbitMQError) {
        let names = topology.queues.map(\.name).sorted().joined(separator: " ")
        try DeclarationGate.pass("\(address) \(names)") { () throws(RabbitMQError) in
            for exchange in topology.exchanges {
                try naming("exchange '\(exchange.name)'") { () throws(RabbitMQError) in
                    try call(.exchangeDeclare(exchange), channel: channel) { $0 == .exchangeDeclareOK ? () : nil }
                }
            }
            var hasNewQueue = false
            for queue in topology.queues {
                try naming("queue '\(queue.name)'") { () throws(RabbitMQError) in
                    if queue.kind == .quorum, try depth(ofQueue: queue.name, channel: channel) == nil {
                        hasNewQueue = true
                    }
                    try call(.queueDeclare(queue), channel: channel) { method -> Void? in
                        if case .queueDeclareOK = method { return () }
                        return nil
                    }
                }
            }
            for binding in topology.bindings {
                try naming("binding of '\(binding.queue)' to '\(binding.exchange)'") { () throws(RabbitMQError) in
                    try call(.queueBind(binding), channel: channel) { $0 == .queueBindOK ? () : nil }
                }
            }
            if hasNewQueue { try linger(Self.registrationTime) }
        }
    }

    /// The depth of a queue, or nil when it does not exist. The channel is open afterwards in both cases.
    func depth(
        ofQueue name: String,
        channel: UInt16
    ) throws(RabbitMQError) -> (messages: UInt32, consumers: UInt32)? {
        do throws(RabbitMQError) {
            return try call(.queueDeclarePassive(name: name), channel: channel) { method in
                if case .queueDeclareOK(let messages, let consumers) = method { return (messages, consumers) }
                return nil
            }
        } catch {
            // A missing queue closes the channel, not the connection.
            guard error.code == .notFound else { throw error }
            try openChannel(channel)
            return nil
        }
    }

    private func naming(_ what: String, _ body: () throws(RabbitMQError) -> Void) throws(RabbitMQError) {
        do {
            try body()
        } catch {
            guard error.replyCode != nil || error.code == .invalidArgument else { throw error }
            throw RabbitMQError(error.code, "\(what): \(error.message)", replyCode: error.replyCode)
        }
    }
}
