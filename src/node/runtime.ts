// What runs pods: the interface between the agent and a container runtime, shaped like CRI v1 so that a runtime behind
// a CRI socket fits as well as the one in sandbox/. All identities are strings that the runtime gives out; times are
// milliseconds since the epoch. A call that the runtime refuses throws a RuntimeError.

import type { Duplex, Readable, Writable } from 'node:stream'

export class RuntimeError extends Error {
  /** what failed, as the agent shows it: `NotFound`, or the reason of a container that waits for ever */
  readonly code: 'NotFound' | 'Failed'
  constructor(code: 'NotFound' | 'Failed', message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'RuntimeError'
    this.code = code
  }
}

export type SandboxMetadata = {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly attempt: number
}

export type DnsConfig = {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export type PortMapping = {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly containerPort: number
  readonly hostPort: number
  readonly hostIp: string
}

export type SandboxConfig = {
  readonly metadata: SandboxMetadata
  readonly hostname: string
  readonly dns: DnsConfig
  readonly portMappings: readonly PortMapping[]
  /** absolute; containers' log paths are relative to it */
  readonly logDirectory: string
  readonly hostNetwork: boolean
  readonly hostPid: boolean
  readonly hostIpc: boolean
  readonly sysctls: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export type Sandbox = {
  readonly id: string
  readonly metadata: SandboxMetadata
  readonly state: 'ready' | 'notReady'
  readonly createdAt: number
  /** the primary address first; none on the host's network */
  readonly ips: readonly string[]
  readonly hostNetwork: boolean
  /** where the network namespace is pinned; none on the host's network */
  readonly netns?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export type Mount = {
  readonly containerPath: string
  readonly hostPath: string
  readonly readOnly: boolean
  readonly propagation: 'private' | 'hostToContainer' | 'bidirectional'
}

/** Who a container's process is and what it may do; undefined means the image's or the runtime's default. */
export type ContainerSecurity = {
  readonly privileged: boolean
  readonly user?: number
  readonly group?: number
  readonly supplementalGroups: readonly number[]
  readonly addCapabilities: readonly string[]
  readonly dropCapabilities: readonly string[]
  readonly readOnlyRoot: boolean
  readonly noNewPrivileges: boolean
}

export type ContainerConfig = {
  readonly metadata: { readonly name: string; readonly attempt: number }
  /** as `imageStatus` or `pullImage` answered it */
  readonly imageRef: string
  /** as the pod names it */
  readonly image: string
  /** replaces the image's entrypoint where not empty */
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir: string
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly mounts: readonly Mount[]
  /** relative to the sandbox's log directory */
  readonly logPath: string
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly tty: boolean
  /** as SIGTERM; undefined: the image's */
  readonly stopSignal?: string
  readonly security: ContainerSecurity
  /** a process whose PID namespace it joins; undefined: it has one of its own */
  readonly pidOf?: number
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** The reason of an end that nobody has seen, as containerd names it. */
export const unseenEnd = 'Unknown'

export type ContainerState = 'created' | 'running' | 'exited' | 'unknown'

export type ContainerStatus = {
  readonly id: string
  readonly sandboxId: string
  readonly metadata: { readonly name: string; readonly attempt: number }
  readonly state: ContainerState
  readonly createdAt: number
  readonly startedAt?: number
  readonly finishedAt?: number
  readonly exitCode?: number
  /** one word: Completed, Error, StartError ... */
  readonly reason?: string
  readonly message?: string
  readonly image: string
  readonly imageRef: string
  /** of its first process, while it runs */
  readonly pid?: number
  /** absolute */
  readonly logPath: string
  readonly mounts: readonly Mount[]
  readonly tty: boolean
  readonly stdin: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export type ExecResult = { readonly exitCode: number; readonly stdout: Uint8Array; readonly stderr: Uint8Array }

export type TerminalSize = { readonly width: number; readonly height: number }

/** The ends of an interactive session. What is undefined is not wanted; with a terminal there is no stderr. */
export type Streams = {
  readonly stdin?: Readable
  readonly stdout?: Writable
  readonly stderr?: Writable
  readonly resizes?: AsyncIterable<TerminalSize>
}

/** How an image is known. `note` says in a sentence what really runs, where that is not the image itself. */
export type ImageStatus = {
  readonly ref: string
  readonly note?: string
  readonly sizeBytes: number
  /** who its process is: a number, or a name of which nobody knows the number before it runs */
  readonly user: number | string
}

export interface Runtime {
  /** as in node.status.nodeInfo.containerRuntimeVersion: `name://version` */
  readonly version: string

  /** Makes the namespaces and the network of a pod; answers the sandbox's id. */
  runPodSandbox(config: SandboxConfig): Promise<string>
  /** Kills what still runs in it and gives its network back; repeatable. */
  stopPodSandbox(id: string): Promise<void>
  /** Forgets it and its containers; repeatable. */
  removePodSandbox(id: string): Promise<void>
  podSandboxStatus(id: string): Sandbox | undefined
  listPodSandboxes(): readonly Sandbox[]

  createContainer(sandboxId: string, config: ContainerConfig): Promise<string>
  startContainer(id: string): Promise<void>
  /** Asks to stop, and kills after `timeoutMs`; a later call with less time hastens an earlier one. */
  stopContainer(id: string, timeoutMs: number): Promise<void>
  /** Kills and forgets it and its log; repeatable. */
  removeContainer(id: string): Promise<void>
  containerStatus(id: string): ContainerStatus | undefined
  listContainers(): readonly ContainerStatus[]

  /** The log has been moved away: goes on in a new file of its name. */
  reopenContainerLog(id: string): Promise<void>

  /** Runs a command to its end; one that takes longer than `timeoutMs` is killed and throws with code `Failed`. */
  execSync(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>
  /** Runs a command with streams; answers its exit code. */
  exec(
    id: string,
    command: readonly string[],
    o: { tty: boolean; streams: Streams; signal: AbortSignal },
  ): Promise<number>

  /** Joins what runs already; resolves when it has ended. */
  attach(id: string, o: { streams: Streams; signal: AbortSignal }): Promise<void>

  /** A connection to a port on the loopback interface of the sandbox. */
  portForward(sandboxId: string, port: number): Promise<Duplex>

  /** undefined where the image is not there. `hasCommand`: the container brings its own command. */
  imageStatus(image: string, hasCommand: boolean): Promise<ImageStatus | undefined>
  /** Throws a RuntimeError whose message says what to do where the image cannot be had. */
  pullImage(image: string, hasCommand: boolean): Promise<ImageStatus>

  /** Calls back with the sandbox's id whenever something in it changed. */
  onChange(listener: (sandboxId: string) => void): () => void
}
