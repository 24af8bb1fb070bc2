// What controllers keep of objects in memory: what one of them reads, and always the metadata.

import type { ConfigMap, Container, Pod, Volume } from '#api/core.ts'
import type { ApiObject } from '#api/meta.ts'
import { type Resource } from '#api/resource.ts'
import { withoutManagedFields } from '#client/control/managed-fields.ts'
import { rootCaName } from '#controllers/service-account/plan.ts'

type Slim = (object: ApiObject) => ApiObject

/** Kinds of which more than the metadata is kept. */
const kept: Readonly<Record<string, Slim>> = {
  'namespaces.': withoutManagedFields,
  'nodes.': withoutManagedFields,
  'pods.': slimPod,
  'services.': withoutManagedFields,
  'endpoints.': withoutManagedFields,
  'replicationcontrollers.': withoutManagedFields,
  'configmaps.': slimConfigMap,
  'persistentvolumeclaims.': withoutManagedFields,
  'persistentvolumes.': withoutManagedFields,
  'storageclasses.storage.k8s.io': withoutManagedFields,
  'deployments.apps': withoutManagedFields,
  'replicasets.apps': withoutManagedFields,
  'statefulsets.apps': withoutManagedFields,
  'daemonsets.apps': withoutManagedFields,
  'controllerrevisions.apps': withoutManagedFields,
  'jobs.batch': withoutManagedFields,
  'endpointslices.discovery.k8s.io': withoutManagedFields,
  'certificatesigningrequests.certificates.k8s.io': withoutManagedFields,
  'poddisruptionbudgets.policy': withoutManagedFields,
  'leases.coordination.k8s.io': withoutManagedFields,
  'servicecidrs.networking.k8s.io': withoutManagedFields,
}

/** Whether what is kept of an object says all that a client may write of it. */
export function isKeptWhole({ plural, group }: Resource, object: ApiObject): boolean {
  if (plural === 'configmaps' && group === '') return object.metadata?.name === rootCaName
  return kept[`${plural}.${group}`] === withoutManagedFields
}

export function slimOf({ plural, group }: Resource): Slim {
  return kept[`${plural}.${group}`] ?? onlyMetadata
}

/** Without annotations, which are long at times; owners, labels and finalizers stay. */
function onlyMetadata(object: ApiObject): ApiObject {
  const { managedFields: _, annotations: __, ...metadata } = object.metadata ?? {}
  return { metadata }
}

/** Most of a pod's specification says how to run it, which is its node's business. */
function slimPod(object: ApiObject): ApiObject {
  const pod = withoutManagedFields(object as Pod)
  const { volumes, ...spec } = pod.spec ?? { containers: [] }
  const { containers, initContainers } = spec
  return {
    ...pod,
    spec: {
      ...spec,
      containers: containers.map(slimContainer),
      ...(initContainers && { initContainers: initContainers.map(slimContainer) }),
      ...(volumes?.some(isOfClaim) && { volumes: volumes.filter(isOfClaim) }),
    },
  } as Pod
}

const isOfClaim = ({ persistentVolumeClaim, ephemeral }: Volume): boolean =>
  persistentVolumeClaim !== undefined || ephemeral !== undefined

function slimContainer({ name, ports, resources, restartPolicy }: Container): Container {
  return {
    name,
    ...(ports && { ports }),
    ...(resources && { resources }),
    ...(restartPolicy !== undefined && { restartPolicy }),
  }
}

function slimConfigMap(object: ApiObject): ApiObject {
  if (object.metadata?.name === rootCaName) return withoutManagedFields(object)
  const { binaryData: _, data: __, ...map } = onlyMetadata(object) as ConfigMap
  return map
}
