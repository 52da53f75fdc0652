import ArgumentParser

/// `waybill webhook …`
struct WebhookCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook",
        abstract: "Endpoints that are told of events, what was delivered, and a local receiver.",
        subcommands: [
            WebhookEndpointCommand.self, WebhookDeliveryCommand.self, WebhookRecoverCommand.self,
            WebhookListenCommand.self, WebhookTriggerCommand.self, WebhookVerifyCommand.self, WebhookSignCommand.self,
        ]
    )
}
