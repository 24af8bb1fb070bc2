// Every kind that this server serves. A new kind is one file in kinds/ and one line here.

import { bookOf } from '#apiserver/allocate/load.ts'
import type { Kind, Setting } from '#apiserver/kind.ts'
import { certificateSigningRequestKind } from '#apiserver/kinds/certificate-signing-request.ts'
import { configMapKind } from '#apiserver/kinds/config-map.ts'
import { controllerRevisionKind } from '#apiserver/kinds/controller-revision.ts'
import { customResourceDefinitionKind } from '#apiserver/kinds/custom-resource-definition.ts'
import { daemonSetKind } from '#apiserver/kinds/daemon-set.ts'
import { deploymentKind } from '#apiserver/kinds/deployment.ts'
import { endpointSliceKind } from '#apiserver/kinds/endpoint-slice.ts'
import { endpointsKind } from '#apiserver/kinds/endpoints.ts'
import { eventKind, newEventKind } from '#apiserver/kinds/event.ts'
import { ingressClassKind, ingressKind } from '#apiserver/kinds/ingress.ts'
import { jobKind } from '#apiserver/kinds/job.ts'
import { leaseKind } from '#apiserver/kinds/lease.ts'
import { namespaceKind } from '#apiserver/kinds/namespace.ts'
import { networkPolicyKind } from '#apiserver/kinds/network-policy.ts'
import { nodeKind } from '#apiserver/kinds/node.ts'
import { persistentVolumeClaimKind, persistentVolumeKind } from '#apiserver/kinds/persistent-volume.ts'
import { podDisruptionBudgetKind } from '#apiserver/kinds/pod-disruption-budget.ts'
import { podKind } from '#apiserver/kinds/pod.ts'
import { priorityClassKind } from '#apiserver/kinds/priority-class.ts'
import { replicaSetKind } from '#apiserver/kinds/replica-set.ts'
import { replicationControllerKind } from '#apiserver/kinds/replication-controller.ts'
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from '#apiserver/kinds/role.ts'
import { secretKind } from '#apiserver/kinds/secret.ts'
import { serviceAccountKind } from '#apiserver/kinds/service-account.ts'
import { ipAddressKind, serviceCidrKind } from '#apiserver/kinds/service-cidr.ts'
import { serviceKind } from '#apiserver/kinds/service.ts'
import { statefulSetKind } from '#apiserver/kinds/stateful-set.ts'
import { csiStorageCapacityKind, volumeAttachmentKind } from '#apiserver/kinds/volume-attachment.ts'
import {
  csiDriverKind,
  csiNodeKind,
  storageClassKind,
  volumeAttributesClassKind,
} from '#apiserver/kinds/storage-class.ts'

export function kinds(setting: Setting): readonly Kind[] {
  return [
    // core
    configMapKind,
    endpointsKind,
    eventKind,
    namespaceKind,
    nodeKind,
    persistentVolumeClaimKind,
    persistentVolumeKind,
    podKind,
    replicationControllerKind,
    secretKind,
    serviceAccountKind,
    serviceKind(bookOf(setting)),
    // apps, batch
    controllerRevisionKind,
    daemonSetKind,
    deploymentKind,
    jobKind,
    replicaSetKind,
    statefulSetKind,
    // certificates, coordination, discovery, networking
    certificateSigningRequestKind,
    endpointSliceKind,
    ingressClassKind,
    ingressKind,
    ipAddressKind,
    leaseKind,
    newEventKind,
    networkPolicyKind,
    serviceCidrKind,
    // apiextensions, policy, rbac, scheduling, storage
    customResourceDefinitionKind,
    clusterRoleBindingKind,
    clusterRoleKind,
    csiDriverKind,
    csiNodeKind,
    csiStorageCapacityKind,
    podDisruptionBudgetKind,
    priorityClassKind,
    roleBindingKind,
    roleKind,
    storageClassKind,
    volumeAttachmentKind,
    volumeAttributesClassKind,
  ]
}
