import Foundation
import Testing

@testable import Failpoints

@Suite struct FailpointFolderTests {
    private func withFolder(_ body: (FailpointFolder, URL) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("failpoints-" + UUID().uuidString)
        try FileManager.default.createDirectory(
            at: url,
            withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700]
        )
        defer { try? FileManager.default.removeItem(at: url) }
        try body(try FailpointFolder(url.path), url)
    }

    private func arm(_ name: String, _ text: String = "", in url: URL) throws {
        try Data(text.utf8).write(to: url.appendingPathComponent(name))
    }

    @Test func nothingHappensAtAPlaceThatIsNotArmed() throws {
        try withFolder { folder, url in
            try arm("a.place", in: url)
            #expect(!folder.mustDie(at: "another.place", about: ["s"]))
            #expect(try FileManager.default.contentsOfDirectory(atPath: url.path) == ["a.place"])
        }
    }

    @Test func anArmedPlaceKillsOnceAndNotesForWhat() throws {
        try withFolder { folder, url in
            try arm("a.place", in: url)
            #expect(folder.mustDie(at: "a.place", about: ["s", "t"]))
            #expect(!folder.mustDie(at: "a.place", about: ["s"]))
            #expect(!folder.mustDie(at: "a.place", about: ["u"]))
            let names = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
            #expect(names == ["a.place", "a.place#1", "a.place@s", "a.place@t"])
            let note = try String(contentsOf: url.appendingPathComponent("a.place@t"), encoding: .utf8)
            #expect(note.hasPrefix("\(ProcessInfo.processInfo.processIdentifier) "))
        }
    }

    /// The files outlive the process: the next one must not die again for the same work, or it would never get on.
    @Test func aRestartedProcessDoesNotDieTwiceForTheSameSubject() throws {
        try withFolder { folder, url in
            try arm("a.place", "1 3", in: url)
            #expect(folder.mustDie(at: "a.place", about: ["s"]))
            let restarted = try FailpointFolder(url.path)
            #expect(!restarted.mustDie(at: "a.place", about: ["s"]))
            #expect(restarted.mustDie(at: "a.place", about: ["s", "t"]))
            #expect(try FailpointFolder(url.path).mustDie(at: "a.place", about: ["u"]))
            #expect(!(try FailpointFolder(url.path).mustDie(at: "a.place", about: ["v"])))
        }
    }

    @Test func withoutASubjectOnceHoweverManyDeathsAreAskedFor() throws {
        try withFolder { folder, url in
            try arm("a.place", "1 9", in: url)
            #expect(folder.mustDie(at: "a.place", about: []))
            #expect(!folder.mustDie(at: "a.place", about: []))
        }
    }

    @Test func theNthHitKills() throws {
        try withFolder { folder, url in
            try arm("a.place", "3\n", in: url)
            #expect(!folder.mustDie(at: "a.place", about: ["s"]))
            #expect(!folder.mustDie(at: "a.place", about: ["s"]))
            #expect(folder.mustDie(at: "a.place", about: ["t"]))
        }
    }

    @Test func removingTheFileDisarms() throws {
        try withFolder { folder, url in
            try arm("a.place", in: url)
            try FileManager.default.removeItem(at: url.appendingPathComponent("a.place"))
            #expect(!folder.mustDie(at: "a.place", about: ["s"]))
        }
    }

    @Test(arguments: [
        ("", 1, 1), ("3", 3, 1), ("2 6\n", 2, 6), ("x y", 1, 1), ("0 0", 1, 1), ("-4 -4", 1, 1), ("1 99999999", 1, 999),
        ("99999999999999999999", 1, 1),
    ])
    func whatAnArmedFileSays(_ text: String, _ hit: Int, _ deaths: Int) {
        #expect(FailpointArming(text).hit == hit)
        #expect(FailpointArming(text).deaths == deaths)
    }

    /// Subjects come from messages.
    @Test func aHostileSubjectStaysInTheFolder() throws {
        #expect(FailpointFolder.fileName(of: "../../etc/passwd") == "_2e_2e_2f_2e_2e_2fetc_2fpasswd")
        #expect(FailpointFolder.fileName(of: String(repeating: "ü", count: 5000)).utf8.count <= 180)
        try withFolder { folder, url in
            try arm("a.place", "1 9", in: url)
            #expect(folder.mustDie(at: "a.place", about: ["/", "\0", ""]))
            #expect(try FileManager.default.contentsOfDirectory(atPath: url.path).count == 5)
        }
    }

    @Test func aFolderThatOthersCanWriteToIsRefused() throws {
        try withFolder { _, url in
            for mode in [0o770, 0o702, 0o740, 0o777] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: url.path)
                #expect(throws: FailpointRefusal.self) { try FailpointFolder(url.path) }
            }
        }
    }

    @Test func whatIsNoFolderIsRefused() throws {
        try withFolder { _, url in
            try arm("file", in: url)
            let link = url.appendingPathComponent("link")
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: url)
            for path in [url.path + "/file", url.path + "/none", link.path] {
                #expect(throws: FailpointRefusal.self) { try FailpointFolder(path) }
            }
        }
    }
}
