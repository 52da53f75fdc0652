public import StrictJSON

extension WebhookEvent {
    /// The JSON Schema (2020-12) of a type's bodies: structured mode, with all data.
    ///
    /// - Parameters:
    ///   - type: the type.
    ///   - summary: when such an event happens, for people.
    ///   - data: the schema of `data`.
    public static func schema(ofType type: String, summary: String, data: JSONValue) -> JSONValue {
        let text: JSONValue = ["type": "string", "minLength": 1]
        let time: JSONValue = ["type": "string", "format": "date-time"]
        return [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": .string("urn:webhook:" + type),
            "title": .string(type), "description": .string(summary), "type": "object",
            "required": [
                "specversion", "id", "source", "type", "subject", "time", "timestamp", "datacontenttype", "data",
            ],
            "properties": [
                "specversion": ["const": "1.0"],
                "id": ["type": "string", "pattern": "^[^.\\s]{1,128}$", "description": "The same as webhook-id."],
                "source": text, "type": ["const": .string(type)], "subject": text, "time": time,
                "timestamp": ["type": "string", "format": "date-time", "description": "The same as time."],
                "datacontenttype": ["const": "application/json"],
                "sequence": ["type": "integer", "minimum": 1, "description": "1, 2, 3 … per subject and source."],
                "correlationid": text, "traceparent": text, "test": ["const": true], "data": data,
            ],
        ]
    }
}

extension OperationalEvents {
    /// The schema of `data` of one of ``types``; `nil` for another type.
    public static func dataSchema(of type: String) -> JSONValue? {
        guard types.contains(type) else { return nil }
        let text: JSONValue = ["type": "string", "minLength": 1]
        let textOrNull: JSONValue = ["type": ["string", "null"]]
        if type.hasPrefix("webhook.endpoint.") {
            return [
                "type": "object", "required": ["endpointId", "uid", "action", "actor", "state", "reason", "version"],
                "properties": [
                    "endpointId": text, "uid": textOrNull, "action": text, "actor": text,
                    "state": ["enum": ["pending_verification", "enabled", "paused", "disabled", "deleted"]],
                    "reason": oneOrNull(EndpointState.Reason.allCases.map(\.rawValue)),
                    "version": ["type": "integer", "minimum": 1],
                ],
            ]
        }
        return [
            "type": "object",
            "required": [
                "deliveryId", "endpointId", "webhookId", "type", "subject", "attempts", "lastStatus", "lastCode",
                "reason",
            ],
            "properties": [
                "deliveryId": text, "endpointId": text, "webhookId": text, "type": text, "subject": text,
                "attempts": ["type": "integer", "minimum": 1],
                "lastStatus": ["type": ["integer", "null"], "minimum": 100, "maximum": 599],
                "lastCode": oneOrNull(AttemptFault.allCases.map(\.rawValue)),
                "reason": textOrNull,
            ],
        ]
    }

    private static func oneOrNull(_ names: [String]) -> JSONValue {
        ["enum": .array(names.map(JSONValue.string) + [.null])]
    }
}
