// effect: signatures, requests to the API server
// Approves what nodes ask for, signs what is approved, and forgets what is answered.

import { certificateSigningRequests } from '#api/certificates.ts'
import { nodes } from '#api/core.ts'
import type { Resource } from '#api/resource.ts'
import type { Typed } from '#api/schema/schema.ts'
import type { Act } from '#client/control/act.ts'
import type { Controller, ControllerContext } from '#controllers/controller.ts'
import {
  forgetAfterMs,
  isOurs,
  isWellFormed,
  recognize,
  secondsOf,
  stageOf,
  type Csr,
  type Recognized,
} from '#controllers/certificate/plan.ts'
import { parseRequest, type RequestedCertificate } from '#pki/certificate-request.ts'
import { signRequest, type Authority } from '#pki/certificate.ts'

type Review = Typed<'authorization', 'SubjectAccessReview'>
const reviews: Resource<Review> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
}
const name = 'certificate-controller'

export const certificateController: Controller = {
  name,
  alias: 'csrsigning',
  async start(context) {
    const { caches, clock, signal, settings } = context
    const all = caches.of(certificateSigningRequests)
    const known = caches.of(nodes)
    const writer = context.writer(name)
    const queue = context.queue('certificate', 1, async (key) => {
      const csr = all.get(key)
      if (csr === undefined) return
      const leftMs = forgetAfterMs(csr, clock.now())
      if (leftMs <= 0) {
        const target = { name: csr.metadata.name, uid: csr.metadata.uid }
        return writer.perform([{ kind: 'delete', resource: certificateSigningRequests, target }], signal)
      }
      queue.mark(key, leftMs)
      const asked = isOurs(csr) ? parseRequest(atob(csr.spec?.request ?? '')) : undefined
      if (asked === undefined) return
      const node = known.get(asked.subject.commonName.replace('system:node:', ''))
      const stage = stageOf(csr)
      if (stage === 'new') {
        const recognized = recognize(csr, asked, node)
        if (recognized !== undefined && (await isAllowed(context, csr, recognized)))
          await writer.perform([approvalOf(csr)], signal)
      } else if (stage === 'approved' && settings.clusterSigning !== undefined)
        await writer.perform([answerOf(csr, asked, settings.clusterSigning)], signal)
    })
    all.listen(({ key }) => queue.mark(key))
    // What a node asks for before the cluster knows its addresses is looked at again.
    known.listen(({ kind }) => {
      if (kind !== 'removed') for (const csr of all.values()) if (stageOf(csr) === 'new') queue.mark(csr.metadata.name)
    })
    await caches.synced()
    await queue.run(signal)
  },
}

/** Whether roles let the one who asks have it without a person's word. A node may have what proves its own addresses. */
async function isAllowed({ client, signal }: ControllerContext, csr: Csr, recognized: Recognized): Promise<boolean> {
  if (recognized === 'nodeserver') return true
  const { username: user = '', uid, groups, extra } = csr.spec ?? {}
  const resourceAttributes = {
    group: certificateSigningRequests.group,
    resource: certificateSigningRequests.plural,
    subresource: recognized,
    verb: 'create',
  }
  const spec = { user, ...(uid && { uid }), ...(groups && { groups }), ...(extra && { extra }), resourceAttributes }
  const answer = await client.create(reviews, { metadata: {}, spec } as Review, { signal })
  return answer.status?.allowed === true
}

function approvalOf(csr: Csr): Act {
  const message = 'Auto approving kubelet client certificate after SubjectAccessReview.'
  const approved = { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
  return answer(csr, { ...csr.status, conditions: [...(csr.status?.conditions ?? []), approved] }, 'approval')
}

function answerOf(csr: Csr, asked: RequestedCertificate, authority: Authority): Act {
  if (!isWellFormed(csr, asked)) {
    const message = 'the request does not have the form that its signer asks for'
    const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message }
    return answer(csr, { ...csr.status, conditions: [...(csr.status?.conditions ?? []), failed] }, 'status')
  }
  const usages = [csr.spec?.usages?.includes('server auth') ? ('server' as const) : ('client' as const)]
  const certificate = btoa(signRequest(authority, asked, { usages, seconds: secondsOf(csr) }))
  return answer(csr, { ...csr.status, certificate }, 'status')
}

const answer = (csr: Csr, status: object, subresource: 'approval' | 'status'): Act => ({
  kind: 'update',
  resource: certificateSigningRequests,
  object: { ...csr, status } as Csr,
  subresource,
})
