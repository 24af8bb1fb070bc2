// What a kind of object is to the server: one value of type `Kind` per served resource, listed in kinds.ts. Everything
// that is the same for all kinds (routing, storage, metadata, patches, watches, printing) is the engine's; a kind says
// only what is its own. All members but `admit` and a subresource's `handle` are pure.

import type { PortClaims } from '#apiserver/allocate/port-claims.ts'
import type { Discovered } from '#api/discovery-document.ts'
import type { FieldError } from '#api/field-error.ts'
import type { ApiObject, DeleteOptions, Status } from '#api/meta.ts'
import type { Resource } from '#api/resource.ts'
import type { TypeRef } from '#api/type-ref.ts'

/** Both keep metadata as it is. */
export type StoredForm = {
  readonly resource: Resource
  toStored(object: ApiObject): ApiObject
  fromStored(object: ApiObject): ApiObject
}

export type GenerationRule =
  | 'spec'
  | 'spec without node'
  | 'spec and annotations'
  | 'content'
  | 'body'
  | 'body and status'

export type Kind<T extends ApiObject = ApiObject> = {
  readonly resource: Resource<T>
  /** the object's type: its name in the schema ('core.Service'), or a custom resource's */
  readonly type: TypeRef
  readonly singular: string
  readonly shortNames?: readonly string[]
  /** 'all' makes it part of `kubectl get all` */
  readonly categories?: readonly string[]
  /** server-side printing: what a row has, and the row of one object, its cells in the same order */
  readonly columns: readonly Column[]
  row(object: T, nowMs: number): readonly Cell[]

  /** Kubernetes' defaults; idempotent. Runs on every object that comes in, and on the result of each patch. */
  default?(object: T): T
  /** Before a create: drop what clients may not set (status), as the strategy of that kind does. */
  prepareCreate?(object: T, context: AdmitContext): T
  /** Before an update of the main resource: keep status, clear or carry over dependent fields. */
  prepareUpdate?(object: T, old: T, context: AdmitContext): T
  /** All that is wrong with the object; `old` on update. Metadata is checked by the engine. */
  validate?(object: T, old: T | undefined): readonly FieldError[]
  /** What is wrong with a name; default: a DNS-1123 subdomain. Not called with a generateName's prefix. */
  name?(name: string): string | undefined
  warnings?(object: T, old: T | undefined): readonly string[]
  /** Of a kind that is only another form of one that is stored (events.k8s.io): which, and how one becomes the other. */
  readonly storedAs?: StoredForm
  /** a warning that goes with every answer about this kind, also to reads (Endpoints) */
  readonly deprecated?: string
  /** of a custom resource: its definition's schema, for those who publish it */
  readonly custom?: NonNullable<Discovered['custom']>
  /** finalizers need no domain in their names */
  readonly anyFinalizer?: boolean
  /** its list's kind, where that is not the kind's name and `List` */
  readonly listKind?: string

  /**
   * Which changes count as a new metadata.generation, which starts at 1. Absent: the kind has none (ConfigMap, Service
   * ...); 'spec': a change of `spec`; 'spec without node' (Pod): but not being bound; 'spec and annotations' (Deployment); 'content': of anything but status and metadata,
   * of which labels count (EndpointSlice); 'body': of anything but metadata (and status).
   */
  readonly generation?: GenerationRule
  /** PUT of a name that is not there creates it (Service, Endpoints, Lease ...) */
  readonly createOnUpdate?: boolean
  /** false: a PUT must say which resourceVersion it replaces (Lease) */
  readonly unconditionalUpdate?: boolean
  /** has /status, which changes nothing but `status` and metadata's labels, annotations, finalizers, owners */
  readonly status?: StatusOf<T> | true
  /** has /scale: the paths (`.spec.replicas`) that a Scale reads and writes */
  readonly scale?: {
    readonly specReplicas: string
    readonly statusReplicas: string
    /** of a LabelSelector or of a map of labels */
    readonly selector: string
  }
  /** Seconds between the first DELETE and the end (pods); 0 deletes at once. Absent: the kind has no grace. */
  graceful?(object: T, options: DeleteOptions): number
  /** Why this object may not be deleted: the end of `namespaces "default" is forbidden: ...`. */
  refuseDelete?(object: T): string | undefined
  /** When the first DELETE marks an object that cannot go at once (Namespace: status.phase). */
  prepareDelete?(object: T): T
  /** Whether it may not go yet although metadata has no finalizers (Namespace: spec.finalizers). */
  isHeld?(object: T): boolean
  /** the answer to a DELETE that was carried out at once is the object, not a Status (Pod, Service ...) */
  readonly answersDeleted?: boolean
  /** How the propagation of a DELETE is chosen where the client asks for none; default background. */
  readonly orphanByDefault?: boolean
  /** a warning to a DELETE that does not choose its propagation */
  readonly deleteWarning?: string
  /**
   * Values for field selectors beyond metadata.name and metadata.namespace. Answers the same keys for every object, also
   * for an empty one: its keys are what clients may select by.
   */
  fields?(object: T): Readonly<Record<string, string>>
  /** seconds after its last write at which an object goes away by itself (Event) */
  readonly ttlSeconds?: number
  /** the verbs served; default: all */
  readonly verbs?: readonly Verb[]
  /** values taken from a shared pool with the object and given back with it (cluster IPs, node ports) */
  readonly admit?: Admit<T>
  /** Subresources of which a write changes one part of the object (approval, finalize, ephemeralcontainers). */
  readonly parts?: Readonly<Record<string, WrittenPart<T>>>
  /** has /proxy: where what is asked of the object goes */
  proxy?(request: ProxyRequest<T>): Promise<Located | Refused>
  /** name of the subresource -> how it answers: binding, eviction, log, exec, token ... */
  readonly subresources?: Readonly<Record<string, Subresource<T>>>
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

export type StatusOf<T extends ApiObject> = {
  /** after the engine has kept all but status: default is to take the new status as it is */
  prepare?(object: T, old: T, context: AdmitContext): T
  validate?(object: T, old: T): readonly FieldError[]
}

export type Column = {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  /** 'name' marks the column that holds the object's name */
  readonly format?: string
  readonly description?: string
  /** 0 (always shown, the default) or 1 (`-o wide`) */
  readonly priority?: number
}
export type Cell = string | number | boolean | null

/** Who asks. */
export type User = {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** What the functions of a kind may know beyond the object, and the other objects that its effects may touch. */
export type AdmitContext = {
  readonly operation: 'create' | 'update' | 'delete' | 'connect'
  readonly nowMs: number
  readonly user: User
  /** '' for a cluster-wide kind */
  readonly namespace: string
  readonly name: string
  /** nothing may be kept: allocators only look */
  readonly dryRun: boolean
  /** a random whole number from 0 to below - 1 */
  random(below: number): number
  readonly objects: Objects
}

/**
 * Other objects, as the server itself reads and writes them: no authorization, but all checks of their kind. Of a
 * resource that is not served there are none.
 */
export interface Objects {
  get<T extends ApiObject>(resource: Resource<T>, namespace: string, name: string): Promise<T | undefined>
  /** The same for what is asked with every request: what another server has changed a moment ago may be missing in it. */
  find<T extends ApiObject>(resource: Resource<T>, namespace: string, name: string): Promise<T | undefined>
  list<T extends ApiObject>(resource: Resource<T>, namespace?: string): Promise<readonly T[]>
  /** Throws StatusError. */
  create<T extends ApiObject>(resource: Resource<T>, object: T): Promise<T>
  /**
   * Reads, changes and writes until no one else wrote in between; undefined when it is not there. `change` answers the
   * object itself for "leave it". `subresource` 'status' changes only the status; 'any' changes everything, without asking
   * the kind's prepareUpdate (a binding, a finalize). Throws StatusError.
   */
  change<T extends ApiObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
    change: (object: T) => T,
    options?: { readonly subresource?: 'status' | 'any' },
  ): Promise<T | undefined>
  /** False when it was not there (or has another uid). Throws StatusError. */
  delete(resource: Resource, namespace: string, name: string, options?: DeleteOptions): Promise<boolean>
}

/**
 * Takes what an object needs from shared pools. Runs after prepare and before validate, so that validation sees what was
 * allocated; then exactly one of commit and revert is called. In a dry run neither is: nothing may be taken.
 */
export type Admit<T extends ApiObject> = {
  create?(object: T, context: AdmitContext): Promise<Admitted<T>>
  update?(object: T, old: T, context: AdmitContext): Promise<Admitted<T>>
  /** The object is gone from the store: give everything back. Not called in a dry run. */
  deleted?(object: T, context: AdmitContext): Promise<void>
}
export type Admitted<T extends ApiObject> =
  | { readonly kind: 'admitted'; readonly object: T; commit?(): Promise<void>; revert?(): Promise<void> }
  | Refused
/** Why a request is not carried out. The engine writes the Status of 'invalid' with Kubernetes' texts. */
export type Refused =
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'status'; readonly status: Status }

export type WrittenPart<T extends ApiObject> = {
  readonly verbs: readonly ('get' | 'update' | 'patch')[]
  /** The object with the part that a client has sent; called anew each time that someone else was faster. */
  change(sent: T, old: T, nowMs: number): Changed<T>
}
export type Changed<T extends ApiObject> = { readonly kind: 'changed'; readonly object: T } | Refused

export type Subresource<T extends ApiObject = ApiObject> = {
  /** HTTP verbs as RBAC names them; connects (log, exec) answer 'get' and 'create' */
  readonly verbs: readonly ('create' | 'get')[]
  /** what discovery says of it; default: the kind of its parent */
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string; readonly type: string }
  handle(request: SubresourceRequest<T>): Promise<SubresourceAnswer>
}
export type SubresourceRequest<T extends ApiObject> = {
  readonly verb: 'create' | 'get'
  readonly context: AdmitContext
  /** the object that it belongs to; the engine has answered 404 where there is none */
  readonly object: T
  /** the decoded body of a create, of type `kind.type` */
  readonly body: ApiObject | undefined
  readonly query: URLSearchParams
}
export type SubresourceAnswer =
  | { readonly kind: 'object'; readonly object: ApiObject; readonly code?: number }
  | { readonly kind: 'text'; readonly text: string }
  | Refused
  /** the request goes on, body, upgrade and all, to the HTTPS API of the node's agent: `/containerLogs/ns/pod/c?...` */
  | { readonly kind: 'relay'; readonly node: string; readonly pathAndQuery: string }

export type ProxyRequest<T extends ApiObject> = {
  readonly object: T
  /** 'http' where the path does not say */
  readonly scheme: 'http' | 'https'
  /** a number, the name of a port, or '' where the path does not say */
  readonly port: string
  readonly context: AdmitContext
}
export type Located = { readonly kind: 'backend'; readonly backend: Backend }
/** Who answers what is asked through a /proxy. */
export type Backend =
  /** the agent of the node itself */
  | { readonly kind: 'agent'; readonly node: string }
  | { readonly kind: 'node'; readonly node: string; readonly scheme: 'http' | 'https'; readonly port: number }
  | {
      readonly kind: 'pod'
      /** through whose agent the pod is reached */
      readonly node: string
      readonly namespace: string
      readonly pod: string
      readonly scheme: 'http' | 'https'
      readonly port: number
    }

/** What the table of kinds is built from: `kinds(setting)` in kinds.ts. */
export type Setting = {
  /** one or two CIDRs; the first gives the primary family */
  readonly serviceClusterIpRanges: readonly string[]
  /** '30000-32767' */
  readonly serviceNodePortRange: string
  /** for allocators that read what is taken when the server starts */
  readonly objects: Objects
  /** where other servers share the store */
  readonly portClaims?: PortClaims | undefined
}
