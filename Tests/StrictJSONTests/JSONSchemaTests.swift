import StrictJSON
import Testing

@Suite("JSON Schema")
struct JSONSchemaTests {
    private let schema: JSONValue = [
        "type": "object", "required": ["name", "lines"],
        "properties": [
            "name": ["type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"],
            "kind": ["const": "shop"], "state": ["enum": ["on", .null]],
            "count": ["type": ["integer", "null"], "minimum": 1],
            "lines": [
                "type": "array", "minItems": 1, "maxItems": 2,
                "items": [
                    "type": "object", "required": ["n"], "properties": ["n": ["type": "integer", "maximum": 9]],
                ],
            ],
        ],
    ]

    @Test(arguments: [
        #"{"name":"abc","lines":[{"n":9}]}"#,
        #"{"name":"ab","lines":[{"n":-1},{"n":0,"more":true}],"kind":"shop","state":null,"count":null,"new":[]}"#,
    ])
    func whatFits(_ text: String) throws {
        #expect(try JSONSchema(schema).faults(of: StrictJSON.parse(Array(text.utf8))).isEmpty)
    }

    @Test(
        arguments: [
            (#"[]"#, ""), (#"{"lines":[{"n":1}]}"#, "name"), (#"{"name":"a","lines":[{"n":1}]}"#, "name"),
            (#"{"name":"abcde","lines":[{"n":1}]}"#, "name"), (#"{"name":"AB","lines":[{"n":1}]}"#, "name"),
            (#"{"name":"ab","lines":[]}"#, "lines"), (#"{"name":"ab","lines":[{"n":1},{"n":1},{"n":1}]}"#, "lines"),
            (#"{"name":"ab","lines":[{"n":1},{}]}"#, "lines[1].n"),
            (#"{"name":"ab","lines":[{"n":10}]}"#, "lines[0].n"),
            (#"{"name":"ab","lines":[{"n":"1"}]}"#, "lines[0].n"),
            (#"{"name":"ab","lines":[{"n":1}],"kind":"x"}"#, "kind"),
            (#"{"name":"ab","lines":[{"n":1}],"state":"off"}"#, "state"),
            (#"{"name":"ab","lines":[{"n":1}],"count":0}"#, "count"),
            (#"{"name":"ab","lines":[{"n":1}],"count":true}"#, "count"),
        ]
    )
    func whatDoesNot(_ text: String, _ path: String) throws {
        #expect(try JSONSchema(schema).faults(of: StrictJSON.parse(Array(text.utf8))).map(\.path) == [path])
    }

    @Test(
        arguments: [
            [], ["type": "number"], ["type": []], ["enum": []], ["required": [1]], ["minLength": -1], ["maximum": "9"],
            ["pattern": "("], ["items": true], ["properties": ["a": ["oneOf": []]]], ["additionalProperties": false],
        ] as [JSONValue]
    )
    func whatIsNoSchemaOrMoreThanIsUnderstood(_ document: JSONValue) {
        #expect(throws: JSONSchema.Fault.self) { try JSONSchema(document) }
    }
}
