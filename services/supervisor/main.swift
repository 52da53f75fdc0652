// waybill-supervisor: keeps the processes of one run directory alive. See Sources/Supervision.
import Glibc
import Supervision

exit(SupervisorCommandLine.main(Array(CommandLine.arguments.dropFirst())))
