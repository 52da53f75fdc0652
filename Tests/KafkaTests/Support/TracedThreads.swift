public import Glibc

// Debian's librdkafka makes its threads and locks through C11's `thrd_*`, `mtx_*` and `cnd_*`. The thread sanitizer knows only the POSIX
// ones and crashes in a thread whose start it has not seen. These definitions take the place of the C library's for the whole test
// program, in every build, and lead to POSIX. That is what glibc does too, with the same layout: `mtx_t` is a `pthread_mutex_t` in size
// and meaning, `cnd_t` a `pthread_cond_t`, `thrd_t` a `pthread_t`, `once_flag` a `pthread_once_t`.
//
// Public, because only then does the linker let a library find them here instead of in the C library.
//
// Results of C11 threads.h in glibc: success 0, busy 1, error 2, no memory 3, timed out 4.

private func outcome(_ code: Int32) -> Int32 {
    switch code {
    case 0: 0
    case EBUSY: 1
    case ENOMEM: 3
    case ETIMEDOUT: 4
    default: 2
    }
}

private typealias Start = @convention(c) (UnsafeMutableRawPointer?) -> Int32

/// What a new thread is to do. Owner: the starting thread, then the new one.
private struct Errand {
    let start: Start
    let argument: UnsafeMutableRawPointer?
}

/// Stands in for the C library's function of that name.
@c(thrd_create)
public func tracedThreadCreate(
    _ thread: UnsafeMutablePointer<pthread_t>,
    _ start: @convention(c) (UnsafeMutableRawPointer?) -> Int32,
    _ argument: UnsafeMutableRawPointer?
) -> Int32 {
    let errand = UnsafeMutablePointer<Errand>.allocate(capacity: 1)
    errand.initialize(to: Errand(start: start, argument: argument))
    let code = pthread_create(
        thread,
        nil,
        { pointer in
            guard let pointer else { return nil }
            let errand = pointer.assumingMemoryBound(to: Errand.self)
            let task = errand.move()
            errand.deallocate()
            return UnsafeMutableRawPointer(bitPattern: Int(task.start(task.argument)))
        },
        errand
    )
    if code != 0 { errand.deallocate() }
    return outcome(code)
}

/// Stands in for the C library's function of that name.
@c(thrd_join)
public func tracedThreadJoin(_ thread: pthread_t, _ result: UnsafeMutablePointer<Int32>?) -> Int32 {
    var value: UnsafeMutableRawPointer?
    let code = pthread_join(thread, &value)
    result?.pointee = Int32(truncatingIfNeeded: Int(bitPattern: value))
    return outcome(code)
}

/// Stands in for the C library's function of that name.
@c(thrd_detach)
public func tracedThreadDetach(_ thread: pthread_t) -> Int32 { outcome(pthread_detach(thread)) }

/// Stands in for the C library's function of that name.
@c(mtx_init)
public func tracedMutexInit(_ mutex: UnsafeMutablePointer<pthread_mutex_t>, _ type: Int32) -> Int32 {
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    defer { pthread_mutexattr_destroy(&attributes) }
    // mtx_recursive is 1.
    if type & 1 != 0 { pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE)) }
    return outcome(pthread_mutex_init(mutex, &attributes))
}

/// Stands in for the C library's function of that name.
@c(mtx_lock)
public func tracedMutexLock(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) -> Int32 {
    outcome(pthread_mutex_lock(mutex))
}

/// Stands in for the C library's function of that name.
@c(mtx_trylock)
public func tracedMutexTryLock(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) -> Int32 {
    outcome(pthread_mutex_trylock(mutex))
}

/// Stands in for the C library's function of that name.
@c(mtx_unlock)
public func tracedMutexUnlock(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) -> Int32 {
    outcome(pthread_mutex_unlock(mutex))
}

/// Stands in for the C library's function of that name.
@c(mtx_destroy)
public func tracedMutexDestroy(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) { pthread_mutex_destroy(mutex) }

/// Stands in for the C library's function of that name.
@c(cnd_init)
public func tracedConditionInit(_ condition: UnsafeMutablePointer<pthread_cond_t>) -> Int32 {
    outcome(pthread_cond_init(condition, nil))
}

/// Stands in for the C library's function of that name.
@c(cnd_signal)
public func tracedConditionSignal(_ condition: UnsafeMutablePointer<pthread_cond_t>) -> Int32 {
    outcome(pthread_cond_signal(condition))
}

/// Stands in for the C library's function of that name.
@c(cnd_broadcast)
public func tracedConditionBroadcast(_ condition: UnsafeMutablePointer<pthread_cond_t>) -> Int32 {
    outcome(pthread_cond_broadcast(condition))
}

/// Stands in for the C library's function of that name.
@c(cnd_wait)
public func tracedConditionWait(
    _ condition: UnsafeMutablePointer<pthread_cond_t>,
    _ mutex: UnsafeMutablePointer<pthread_mutex_t>
) -> Int32 {
    outcome(pthread_cond_wait(condition, mutex))
}

/// Stands in for the C library's function of that name.
@c(cnd_timedwait)
public func tracedConditionTimedWait(
    _ condition: UnsafeMutablePointer<pthread_cond_t>,
    _ mutex: UnsafeMutablePointer<pthread_mutex_t>,
    _ deadline: UnsafePointer<timespec>
) -> Int32 {
    outcome(pthread_cond_timedwait(condition, mutex, deadline))
}

/// Stands in for the C library's function of that name.
@c(cnd_destroy)
public func tracedConditionDestroy(_ condition: UnsafeMutablePointer<pthread_cond_t>) {
    pthread_cond_destroy(condition)
}
