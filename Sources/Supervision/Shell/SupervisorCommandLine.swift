import Glibc

/// The program `waybill-supervisor`: the supervisor itself and its small client verbs.
public enum SupervisorCommandLine {
    private static let usage = """
        usage: waybill-supervisor VERB --run-dir DIR [options]

          run                       look after the processes of DIR/supervisor.json until SIGTERM
          status [--json]           show them; exit 1 when something is not healthy
          wait [--timeout SECONDS]  until all are ready, with a live table on a terminal; exit 1 when the time is over
          stop|start|restart NAME   one process, such as payment-2
          reload                    read DIR/supervisor.json again: start what is new, stop what is gone, restart what changed

        exit: 0 done, 1 the answer is no, 2 could not be carried out

        """

    private struct Arguments {
        var verb = ""
        var operand: String?
        var runDirectory: String?
        var json = false
        var timeout: Duration = .seconds(60)
        var rotationLimit: Int64 = 64 << 20
    }

    /// Carries out the arguments (without the program's name) and returns the exit code.
    public static func main(_ arguments: [String]) -> Int32 {
        if arguments.contains("--help") || arguments.contains("-h") || arguments.isEmpty {
            write(arguments.isEmpty ? STDERR_FILENO : STDOUT_FILENO, usage)
            return arguments.isEmpty ? 2 : 0
        }
        do {
            return try carryOut(parse(arguments))
        } catch {
            write(STDERR_FILENO, "waybill-supervisor: \(error.description)\n")
            return 2
        }
    }

    private static func carryOut(_ arguments: Arguments) throws(SupervisionError) -> Int32 {
        guard let path = arguments.runDirectory else { throw SupervisionError("--run-dir is missing") }
        let directory = try RunDirectory(path)
        switch arguments.verb {
        case "run": return try Supervisor(directory, rotationLimit: arguments.rotationLimit).run()
        case "status": return try status(directory, json: arguments.json)
        case "wait": return try ReadinessWait(directory, timeout: arguments.timeout).run()
        case "reload": return try command(directory, "reload", nil)
        case "stop", "start", "restart":
            guard let id = arguments.operand else {
                throw SupervisionError("\(arguments.verb) needs the name of a process")
            }
            return try command(directory, arguments.verb, id)
        default:
            throw SupervisionError("there is no verb '\(arguments.verb)'; see --help")
        }
    }

    private static func status(_ directory: RunDirectory, json: Bool) throws(SupervisionError) -> Int32 {
        guard let status = try directory.liveStatus() else {
            if json {
                write(STDOUT_FILENO, #"{"phase":"stopped","processes":[]}"# + "\n")
            } else {
                write(STDOUT_FILENO, "Nothing is running for \(directory.path).\n")
            }
            return 1
        }
        if json {
            write(STDOUT_FILENO, String(decoding: JSONText.encode(status, pretty: true), as: UTF8.self) + "\n")
        } else {
            let table = StatusTable(usesColour: Terminal.usesColour(STDOUT_FILENO))
            write(STDOUT_FILENO, table.lines(status).joined(separator: "\n") + "\n")
        }
        return status.isHealthy ? 0 : 1
    }

    private static func command(
        _ directory: RunDirectory,
        _ verb: String,
        _ id: String?
    ) throws(SupervisionError) -> Int32 {
        let line = try ControlClient(directory: directory).send(ControlRequest(command: verb, process: id))
        let reply = try JSONText.decode(ControlReply.self, from: line, named: "answer")
        write(reply.ok ? STDOUT_FILENO : STDERR_FILENO, reply.message + "\n")
        return reply.ok ? 0 : 1
    }

    private static func parse(_ arguments: [String]) throws(SupervisionError) -> Arguments {
        var result = Arguments()
        var rest = arguments[...]
        func value(_ option: String) throws(SupervisionError) -> String {
            guard let value = rest.popFirst() else { throw SupervisionError("\(option) needs a value") }
            return value
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--run-dir": result.runDirectory = try value(argument)
            case "--json": result.json = true
            case "--timeout":
                let text = try value(argument)
                guard let seconds = Int(text), (1...3600).contains(seconds) else {
                    throw SupervisionError("--timeout must be 1 to 3600 seconds")
                }
                result.timeout = .seconds(seconds)
            case "--rotate-at":
                let text = try value(argument)
                guard let bytes = Int64(text), bytes >= 1024 else {
                    throw SupervisionError("--rotate-at must be at least 1024 bytes")
                }
                result.rotationLimit = bytes
            default:
                guard !argument.hasPrefix("-") else {
                    throw SupervisionError("there is no option \(argument); see --help")
                }
                if result.verb.isEmpty {
                    result.verb = argument
                } else if result.operand == nil {
                    result.operand = argument
                } else {
                    throw SupervisionError("'\(argument)' is one argument too many")
                }
            }
        }
        return result
    }

    /// Writes text to a descriptor; a closed reader is no reason to fail.
    static func write(_ descriptor: Int32, _ text: String) {
        _ = Files.write(descriptor, Array(text.utf8))
    }
}
