/// What libFuzzer calls with every input it makes up; `main` is libFuzzer's own.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneInput(_ start: UnsafeRawPointer?, _ size: Int) -> CInt {
    FuzzTarget.run(UnsafeRawBufferPointer(start: start, count: size))
    return 0
}
