import Foundation
import HTTPKit
import HTTPTypes
import Hummingbird
import StrictJSON
import Testing

@Suite("Operator token", .timeLimit(.minutes(2)))
struct OperatorTokenTests {
    private static let secret = "s3cret-s3cret-s3cret"

    @Test("only the exact token matches")
    func matching() throws {
        let token = try #require(OperatorToken(Self.secret))
        #expect(token.matches(Self.secret))
        for wrong in [
            "", "s", String(Self.secret.dropLast()), Self.secret + "x", Self.secret + Self.secret,
            "S" + Self.secret.dropFirst(),
        ] {
            #expect(!token.matches(wrong))
        }
        #expect(OperatorToken("short") == nil)
        #expect(OperatorToken("has a space in its midst") == nil)
        #expect(OperatorToken(String(repeating: "x", count: 513)) == nil)
    }

    @Test("it does not show itself")
    func hidden() throws {
        let token = try #require(OperatorToken(Self.secret))
        var dumped = ""
        dump(token, to: &dumped)
        for text in ["\(token)", String(reflecting: token), dumped] { #expect(!text.contains("s3cret")) }
    }

    @Test("files: only ordinary ones that nobody else can read")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("token-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ content: String, _ mode: Int) throws -> String {
            let path = folder.appendingPathComponent(name).path
            try Data(content.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            return path
        }
        let good = try file("good", "  \(Self.secret)\n", 0o600)
        #expect(try OperatorToken(file: good).matches(Self.secret))
        #expect(try OperatorToken(file: file("readonly", Self.secret, 0o400)).matches(Self.secret))
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let open = try file("open-\(mode)", Self.secret, mode)
            let error = #expect(throws: OperatorToken.FileError.self) { try OperatorToken(file: open) }
            #expect(error?.description.contains("chmod 600") == true)
        }
        let link = folder.appendingPathComponent("link").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: good)
        for path in [
            link, folder.path, folder.path + "/missing", try file("short", "abc", 0o600),
            try file("long", String(repeating: "x", count: 5000), 0o600),
        ] {
            let error = #expect(throws: OperatorToken.FileError.self) { try OperatorToken(file: path) }
            #expect(error?.description.contains(Self.secret) == false)
        }
    }

    @Test("without the token every path answers the same 401")
    func middleware() async throws {
        let token = try #require(OperatorToken(Self.secret))
        try await withServer(routes: { router in
            router.add(middleware: OperatorTokenMiddleware(token: token))
            router.get("/admin") { _, context in JSONResponse.make(["actor": .string(context.actor ?? "")]) }
        }) { base, _, sender in
            for path in ["/admin", "/nowhere"] {
                for headers in [
                    [], [("authorization", "Bearer wrong-wrong-wrong-wrong")],
                    [("authorization", "Basic \(Self.secret)")], [("authorization", "Bearer")],
                    [("authorization", Self.secret)], [("authorization", "Bearer \(Self.secret) x")],
                    [("authorization", "Bearer \(Self.secret)"), ("authorization", "Bearer \(Self.secret)")],
                ] {
                    let reply = try await sender.send("GET", url: base + path, headers: headers).get()
                    #expect(reply.status == 401)
                    #expect(reply.header("www-authenticate") == "Bearer")
                    #expect(reply.json["code"] == "unauthorized")
                }
            }
            let good = [("authorization", "bearer \(Self.secret)")]
            #expect(try await sender.send("GET", url: base + "/admin", headers: good).get().json["actor"] == "operator")
            #expect(try await sender.send("GET", url: base + "/nowhere", headers: good).get().status == 404)
            #expect(try await sender.send("POST", url: base + "/admin", headers: good).get().status == 405)
        }
    }
}
