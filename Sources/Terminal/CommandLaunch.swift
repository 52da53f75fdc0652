public import ArgumentParser

extension AsyncParsableCommand {
    /// Reads the command line, carries out its verb, and ends the process.
    ///
    /// The process ends with 0, with the code of a ``CommandEnd`` after its sentence, or with 2 for wrong usage and for any other
    /// error, which is told on standard error.
    public static func launch() async -> Never {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            exit()
        } catch let end as CommandEnd {
            Console.error(end.sentence)
            exit(withError: ExitCode(end.code))
        } catch {
            // The parser's own errors: usage (its code 64 becomes our 2), help and version (0).
            if exitCode(for: error) == .success { exit(withError: error) }
            Console.error(fullMessage(for: error))
            exit(withError: ExitCode(2))
        }
    }
}
