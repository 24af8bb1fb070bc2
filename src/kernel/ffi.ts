// effect: system calls
// The one place where Fairway calls the C library. Every function is synchronous and works on the calling thread, which
// matters for the namespace calls: they move that thread alone. Failures throw a SystemError.
import koffi from 'koffi'
import { constants as fileConstants } from 'node:fs'
import { constants } from 'node:os'

/** A system call that failed: `code` is the errno's name (`ENOENT`), the message says what was tried. */
export class SystemError extends Error {
  readonly code: string
  readonly errno: number
  constructor(what: string, errno: number) {
    super(`${what}: ${errorText(errno)}`)
    this.name = 'SystemError'
    this.code = errorName(errno)
    this.errno = errno
  }
}

export const AF = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, bridge: 7, unspec: 0 } as const
export const SOCK = {
  stream: 1,
  dgram: 2,
  raw: 3,
  sequencedPacket: 5,
  nonblock: 0o4000,
  closeOnExec: 0o2000000,
} as const
export const CLONE = { newNet: 0x40000000, newNs: 0x00020000, newUts: 0x04000000, newIpc: 0x08000000 } as const
export const MSG = { dontWait: 0x40, trunc: 0x20, peek: 0x2, waitForOne: 0x10000 } as const

const c = koffi.load(null)
const cSocket = c.func('int socket(int, int, int)')
const cBind = c.func('int bind(int, const void*, uint32_t)')
const cConnect = c.func('int connect(int, const void*, uint32_t)')
const cShutdown = c.func('int shutdown(int, int)')
const cFcntl = c.func('int fcntl(int, int, long)')
const cSend = c.func('int64_t send(int, const void*, size_t, int)')
const cRecv = c.func('int64_t recv(int, void*, size_t, int)')
const cSendto = c.func('int64_t sendto(int, const void*, size_t, int, const void*, uint32_t)')
const cRecvmmsg = c.func('int recvmmsg(int, void*, uint32_t, int, void*)')
const cSendmmsg = c.func('int sendmmsg(int, void*, uint32_t, int)')
const cRead = c.func('long read(int, uintptr_t, size_t)')
const cWrite = c.func('long write(int, uintptr_t, size_t)')
const cPoll = c.func('int poll(void*, ulong, int)')
const cSetsockopt = c.func('int setsockopt(int, int, int, const void*, uint32_t)')
const cGetsockopt = c.func('int getsockopt(int, int, int, void*, void*)')
const cGetsockname = c.func('int getsockname(int, void*, void*)')
const cFlock = c.func('int flock(int, int)')
const cIoctl = c.func('int ioctl(int, ulong, void*)')
const cClose = c.func('int close(int)')
const cDup3 = c.func('int dup3(int, int, int)')
const cPipe2 = c.func('int pipe2(void*, int)')
const cSetns = c.func('int setns(int, int)')
const cUnshare = c.func('int unshare(int)')
const cMount = c.func('int mount(const char*, const char*, const char*, ulong, const char*)')
const cUmount2 = c.func('int umount2(const char*, int)')
const cSethostname = c.func('int sethostname(const char*, size_t)')
const cMknod = c.func('int mknod(const char*, uint32_t, uint64_t)')
const cSetxattr = c.func('int setxattr(const char*, const char*, const void*, size_t, int)')
const cSyscall = c.func('long syscall(long, long, long, long, long)')
const cGetAffinity = c.func('int sched_getaffinity(int, size_t, void*)')
const cSetAffinity = c.func('int sched_setaffinity(int, size_t, const void*)')
const cSpawn = c.func('int posix_spawn(void*, const char*, const void*, const void*, const char**, const char**)')
const cActionsInit = c.func('int posix_spawn_file_actions_init(void*)')
const cActionsDup2 = c.func('int posix_spawn_file_actions_adddup2(void*, int, int)')
const cActionsDestroy = c.func('int posix_spawn_file_actions_destroy(void*)')
const cAttributesInit = c.func('int posix_spawnattr_init(void*)')
const cAttributesFlags = c.func('int posix_spawnattr_setflags(void*, short)')
const cAttributesDefaults = c.func('int posix_spawnattr_setsigdefault(void*, const void*)')
const cWaitpid = c.func('int waitpid(int, void*, int)')
const cStrerror = c.func('const char* strerror(int)')
// glibc alone has these two.
const cMallopt = ifThere(() => c.func('int mallopt(int, int)'))
const cMallocTrim = ifThere(() => c.func('int malloc_trim(size_t)'))

function ifThere<T>(find: () => T): T | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}

export const socket = (domain: number, type: number, protocol: number): number =>
  checked(cSocket(domain, type | SOCK.closeOnExec, protocol), 'socket')
export const bind = (fd: number, address: Uint8Array): void => done(cBind(fd, address, address.length), 'bind')

/** Connects to the socket at a path of at most 107 bytes. */
export function connectUnix(fd: number, path: string): void {
  const name = new TextEncoder().encode(path)
  if (name.length > 107) throw new TypeError(`too long for a socket: ${path}`)
  const address = new Uint8Array(2 + name.length + 1)
  new DataView(address.buffer).setUint16(0, AF.unix, true)
  address.set(name, 2)
  done(cConnect(fd, address, address.length), `connect ${path}`)
}

/** No more will be sent: the other end reads to the end. */
export const endSending = (fd: number): void => done(cShutdown(fd, 1), 'shutdown')

/** Another number for the same open file, closed on exec. */
export const duplicate = (fd: number): number => checked(cFcntl(fd, 1030, 0), 'fcntl F_DUPFD_CLOEXEC')

/** Sends one datagram from `data`; answers how many bytes went out. */
export const send = (fd: number, data: Uint8Array, flags = 0): number =>
  checked(Number(cSend(fd, data, data.length, flags)), 'send')

/** Receives one datagram into `into`; undefined where none is there (EAGAIN) on a non-blocking call. */
export function receive(fd: number, into: Uint8Array, flags = 0): number | undefined {
  for (;;) {
    const length = Number(cRecv(fd, into, into.length, flags))
    if (length >= 0) return length
    const errno = koffi.errno()
    if (errno === constants.errno.EAGAIN) return undefined
    if (errno !== constants.errno.EINTR) throw new SystemError('recv', errno)
  }
}

/** Sends one datagram to a sockaddr; false where there was no room for it. */
export function sendTo(fd: number, data: Uint8Array, address: Uint8Array): boolean {
  if (Number(cSendto(fd, data, data.length, MSG.dontWait, address, address.length)) >= 0) return true
  const errno = koffi.errno()
  if (errno === constants.errno.EAGAIN || errno === constants.errno.ECONNREFUSED || errno === constants.errno.EPERM)
    return false
  throw new SystemError('sendto', errno)
}

/** recvmmsg and sendmmsg over `count` mmsghdr structures; how many were done, 0 where the call was cut short. */
export const receiveMany = (fd: number, headers: Uint8Array, count: number, flags: number): number =>
  Math.max(0, Number(cRecvmmsg(fd, headers, count, flags, null)))
export const sendMany = (fd: number, headers: Uint8Array, count: number): number =>
  Math.max(0, Number(cSendmmsg(fd, headers, count, 0)))

/** The same, but an errno below zero where the first of them could not be sent. */
export function trySendMany(fd: number, headers: Uint8Array, count: number): number {
  const sent = Number(cSendmmsg(fd, headers, count, 0))
  return sent >= 0 ? sent : -koffi.errno()
}

/** Reads one packet to an address (of `addressOf`); undefined where none is there on a non-blocking file. */
export function readAt(fd: number, address: number, length: number): number | undefined {
  const count = Number(cRead(fd, address, length))
  if (count >= 0) return count
  const errno = koffi.errno()
  if (errno === constants.errno.EAGAIN) return undefined
  throw new SystemError('read', errno)
}

/** Writes from an address; zero, or the errno below zero. */
export function writeAt(fd: number, address: number, length: number): number {
  return Number(cWrite(fd, address, length)) >= 0 ? 0 : -koffi.errno()
}

/** Waits until one of the files (struct pollfd each) can be read, or the time is over. */
export const poll = (files: Uint8Array, timeoutMs: number): number =>
  Math.max(0, Number(cPoll(files, files.length / 8, timeoutMs)))

/** Where a typed array's bytes lie; they stay there as long as it lives. */
export const addressOf = (bytes: Uint8Array): bigint => BigInt(koffi.address(bytes) as unknown as bigint)

export const setSocketOption = (fd: number, level: number, option: number, value: number): void =>
  done(cSetsockopt(fd, level, option, new Uint8Array(new Int32Array([value]).buffer), 4), `setsockopt ${option}`)

/** Sets an option whose value is a structure. */
export const setSocketStructure = (fd: number, level: number, option: number, value: Uint8Array): void =>
  done(cSetsockopt(fd, level, option, value, value.length), `setsockopt ${option}`)

/** Reads an option into `value`, whose contents some options take as a question. */
export const getSocketOption = (fd: number, level: number, option: number, value: Uint8Array): void =>
  done(cGetsockopt(fd, level, option, value, new Uint32Array([value.length])), `getsockopt ${option}`)

/** SO_RCVTIMEO: how long a blocking receive waits before it answers undefined. */
export const setReceiveTimeout = (fd: number, timeoutMs: number): void => {
  const time = new BigInt64Array([BigInt(Math.floor(timeoutMs / 1000)), BigInt((timeoutMs % 1000) * 1000)])
  done(cSetsockopt(fd, 1, 20, new Uint8Array(time.buffer), 16), 'setsockopt SO_RCVTIMEO')
}

/** The address that the kernel gave the socket, as the bytes of its sockaddr (at most 128). */
export function socketName(fd: number): Uint8Array {
  const address = new Uint8Array(128)
  const length = new Uint32Array([address.length])
  done(cGetsockname(fd, address, length), 'getsockname')
  return address.subarray(0, length[0])
}

/** ioctl whose argument is a structure that the kernel reads and writes in place. */
export const ioctl = (fd: number, request: number, argument: Uint8Array): void =>
  done(cIoctl(fd, request, argument), `ioctl 0x${request.toString(16)}`)

/** Locks an open file for this process alone, until it is closed or the process is gone; without `wait` false where another one has it. */
export function lockFile(fd: number, { wait }: { readonly wait: boolean }): boolean {
  const [exclusive, nonBlocking] = [2, 4]
  while (cFlock(fd, wait ? exclusive : exclusive | nonBlocking) !== 0) {
    const errno = koffi.errno()
    if (errno === constants.errno.EAGAIN) return false
    if (errno !== constants.errno.EINTR) throw new SystemError('flock', errno)
  }
  return true
}

export const close = (fd: number): void => done(cClose(fd), 'close')
/** As all files of ours, not for programs that are started. */
export const duplicateOnto = (fd: number, onto: number): void => done(cDup3(fd, onto, SOCK.closeOnExec), 'dup3')

/** A pipe, both ends closed on exec. */
export function pipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const ends = new Int32Array(2)
  done(cPipe2(ends, SOCK.closeOnExec), 'pipe2')
  return { readEnd: ends[0]!, writeEnd: ends[1]! }
}

/** Moves the calling thread into the namespace behind an open file; `kind` is one of CLONE, checked by the kernel. */
export const setns = (fd: number, kind: number): void => done(cSetns(fd, kind), 'setns')
export const unshare = (kinds: number): void => done(cUnshare(kinds), 'unshare')
export const mount = (source: string, target: string, type: string | null, flags: number, data: string | null): void =>
  done(cMount(source, target, type, flags, data), `mount ${type ?? source} on ${target}`)
/** What overlayfs takes as the sign that a file of a lower layer is gone. */
export const makeWhiteout = (path: string): void => done(cMknod(path, fileConstants.S_IFCHR, 0n), `mknod ${path}`)

/** An extended attribute of a file: `trusted.overlay.opaque`. */
export const setFileAttribute = (path: string, name: string, value: Uint8Array): void =>
  done(cSetxattr(path, name, value, value.length, 0), `setxattr ${name} of ${path}`)
export const umount2 = (target: string, flags: number): void => done(cUmount2(target, flags), `umount ${target}`)
export const setHostname = (name: string): void =>
  done(cSethostname(name, new TextEncoder().encode(name).length), 'sethostname')

/** The processors that the calling thread may run on, one bit each. */
export function processors(): Uint8Array {
  const bits = new Uint8Array(128)
  return bits.subarray(0, checked(cGetAffinity(0, bits.length, bits), 'sched_getaffinity') || bits.length)
}
export const useProcessors = (bits: Uint8Array): void => done(cSetAffinity(0, bits.length, bits), 'sched_setaffinity')

// Numbers above 423 are the same on every architecture.
const SYS = { pidfdSendSignal: 424, pidfdOpen: 434 } as const

/** A file descriptor that stands for the process and becomes readable when it exits; undefined where no such process is. */
export function openPid(pid: number): number | undefined {
  const fd = Number(cSyscall(SYS.pidfdOpen, pid, 0, 0, 0))
  if (fd >= 0) return fd
  const errno = koffi.errno()
  if (errno === constants.errno.ESRCH) return undefined
  throw new SystemError(`pidfd_open ${pid}`, errno)
}

/** Signals the process behind `openPid`; false where it has exited. */
export function signalPid(pidFd: number, signal: number): boolean {
  if (Number(cSyscall(SYS.pidfdSendSignal, pidFd, signal, 0, 0)) === 0) return true
  const errno = koffi.errno()
  if (errno === constants.errno.ESRCH) return false
  throw new SystemError('pidfd_send_signal', errno)
}

export type ProgramStart = {
  readonly path: string
  readonly words: readonly string[]
  /** `NAME=VALUE` */
  readonly env: readonly string[]
  /** which of our files it has as 0, 1, 2 ...; no others */
  readonly files: readonly number[]
  readonly newSession: boolean
}

/** Starts a program, with no signal ignored or blocked; its number. Whoever calls this has to wait for it. */
export function startProgram({ path, words, env, files, newSession }: ProgramStart): number {
  const flags = { signalDefaults: 0x04, signalMask: 0x08, session: newSession ? 0x80 : 0 }
  // Larger than the structures of any C library; a set of signals has 128 bytes, and the empty one is the mask.
  const [actions, attributes, allSignals] = [new Uint8Array(256), new Uint8Array(1024), new Uint8Array(128).fill(0xff)]
  const pid = new Int32Array(1)
  cActionsInit(actions)
  cAttributesInit(attributes)
  try {
    files.forEach((file, number) => cActionsDup2(actions, file, number))
    cAttributesDefaults(attributes, allSignals)
    cAttributesFlags(attributes, flags.signalDefaults | flags.signalMask | flags.session)
    const errno = cSpawn(pid, path, actions, attributes, [...words, null], [...env, null])
    if (errno !== 0) throw new SystemError(`cannot run ${path}`, errno)
    return pid[0]!
  } finally {
    cActionsDestroy(actions)
  }
}

/** The exit code of a child that has ended (128 and the number of a signal). */
export function waitFor(pid: number): number {
  const status = new Int32Array(1)
  checked(cWaitpid(pid, status, 0), `waitpid ${pid}`)
  const signal = status[0]! & 0x7f
  return signal === 0 ? (status[0]! >> 8) & 0xff : 128 + signal
}

// Where one number has two names, the one that Linux prints comes first here.
const names = new Map<number, string>([
  [constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'],
  [constants.errno.EAGAIN, 'EAGAIN'],
  [524, 'ENOTSUPP'],
])
for (const [name, number] of Object.entries(constants.errno)) if (!names.has(number)) names.set(number, name)

export const errorName = (errno: number): string => names.get(errno) ?? `E${errno}`
export const errorText = (errno: number): string => (errno === 524 ? 'Operation is not supported' : cStrerror(errno))

function checked(result: number, what: string): number {
  if (result < 0) throw new SystemError(what, koffi.errno())
  return result
}

function done(result: number, what: string): void {
  checked(result, what)
}

/** Settings of the C library's allocator, by the numbers of malloc.h; false where it has none. */
export const setAllocator = (option: keyof typeof ALLOCATOR, value: number): boolean =>
  cMallopt?.(ALLOCATOR[option], value) === 1
const ALLOCATOR = { mmapThreshold: -3, mostArenas: -8 } as const
/** Gives the free memory of all arenas back to the system. */
export const trimAllocator = (): void => void cMallocTrim?.(0)
