// Requests for certificates: who asks is noted by the server, an approver says yes or no by /approval, a signer writes the
// certificate by /status.

import type { Changed, Kind } from '#apiserver/kind.ts'
import { age, ageColumn, nameColumn, nameOf, text } from '#apiserver/kinds/cells.ts'
import {
  type CertificateSigningRequest,
  type CertificateSigningRequestCondition,
  certificateSigningRequests,
} from '#api/certificates.ts'
import { type FieldError, forbidden, invalid, notSupported, required } from '#api/field-error.ts'
import { formatTime } from '#api/time.ts'

type Csr = CertificateSigningRequest

export const certificateSigningRequestKind: Kind<Csr> = {
  resource: certificateSigningRequests,
  type: 'certificates.CertificateSigningRequest',
  singular: 'certificatesigningrequest',
  shortNames: ['csr'],
  columns: [nameColumn, ageColumn, text('SignerName'), text('Requestor'), text('RequestedDuration'), text('Condition')],
  row: (csr, nowMs) => [
    nameOf(csr),
    age(csr, nowMs),
    csr.spec?.signerName ?? '<none>',
    csr.spec?.username ?? '',
    csr.spec?.expirationSeconds === undefined ? '<none>' : `${csr.spec.expirationSeconds}s`,
    conditionText(csr),
  ],
  prepareCreate(csr, { user }) {
    const { name: username, uid = '', groups, extra } = user
    const asked = {
      request: csr.spec?.request ?? '',
      signerName: csr.spec?.signerName ?? '',
      ...(csr.spec?.usages && { usages: csr.spec.usages }),
      ...(csr.spec?.expirationSeconds !== undefined && { expirationSeconds: csr.spec.expirationSeconds }),
    }
    const extras = extra && { extra: Object.fromEntries(Object.entries(extra).map(([key, all]) => [key, [...all]])) }
    return {
      ...csr,
      spec: { ...asked, username, ...(uid !== '' && { uid }), groups: [...groups], ...extras },
      status: {},
    }
  },
  // A request says what it said from the start.
  prepareUpdate: (csr, old) => ({ ...csr, spec: old.spec!, ...(old.status && { status: old.status }) }),
  validate: validateRequest,
  fields: (csr) => ({ 'spec.signerName': csr.spec?.signerName ?? '' }),
  status: {
    // A signer writes the certificate, and what it has to say against it; approvals are not its own.
    prepare: (csr, old, { nowMs }) => ({
      ...csr,
      status: {
        ...csr.status,
        conditions: withTimes(
          [...(old.status?.conditions ?? []).filter(isApproval), ...(csr.status?.conditions ?? []).filter(isOther)],
          old,
          nowMs,
        ),
      },
    }),
    validate: (csr, old) =>
      old.status?.certificate && csr.status?.certificate !== old.status.certificate
        ? [forbidden('status.certificate', 'the certificate is there already')]
        : [],
  },
  parts: { approval: { verbs: ['get', 'update', 'patch'], change: approve } },
}

const approvals = ['Approved', 'Denied']
const isApproval = ({ type }: CertificateSigningRequestCondition) => approvals.includes(type)
const isOther = (condition: CertificateSigningRequestCondition) => !isApproval(condition)

function approve(sent: Csr, old: Csr, nowMs: number): Changed<Csr> {
  const wanted = (sent.status?.conditions ?? []).filter(isApproval)
  const errors = validateApproval(wanted, old)
  if (errors.length > 0) return { kind: 'invalid', errors }
  const conditions = withTimes([...(old.status?.conditions ?? []).filter(isOther), ...wanted], old, nowMs)
  return { kind: 'changed', object: { ...old, status: { ...old.status, conditions } } }
}

function withTimes(
  conditions: readonly CertificateSigningRequestCondition[],
  old: Csr,
  nowMs: number,
): CertificateSigningRequestCondition[] {
  const now = formatTime(nowMs)
  return conditions.map((condition) => {
    const before = old.status?.conditions?.find(({ type }) => type === condition.type)
    return {
      ...condition,
      status: condition.status || 'True',
      lastUpdateTime: condition.lastUpdateTime ?? now,
      lastTransitionTime: before?.lastTransitionTime ?? condition.lastTransitionTime ?? now,
    }
  })
}

function validateApproval(wanted: readonly CertificateSigningRequestCondition[], old: Csr): FieldError[] {
  const had = (old.status?.conditions ?? []).filter(isApproval).map(({ type }) => type)
  const has = wanted.map(({ type }) => type)
  const errors: FieldError[] = []
  if (has.length > 1)
    errors.push(invalid('status.conditions', has, 'Approved and Denied conditions are mutually exclusive'))
  for (const type of had)
    if (!has.includes(type))
      errors.push(forbidden('status.conditions', `updates may not remove a condition of type "${type}"`))
  for (const [at, { status }] of wanted.entries())
    if (status && status !== 'True') errors.push(notSupported(`status.conditions[${at}].status`, status, ['True']))
  return errors
}

const usages = [
  'signing',
  'digital signature',
  'content commitment',
  'key encipherment',
  'key agreement',
  'data encipherment',
  'cert sign',
  'crl sign',
  'encipher only',
  'decipher only',
  'any',
  'server auth',
  'client auth',
  'code signing',
  'email protection',
  's/mime',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'timestamping',
  'ocsp signing',
  'microsoft sgc',
  'netscape sgc',
]

function validateRequest({ spec }: Csr): FieldError[] {
  const errors: FieldError[] = []
  if (!spec?.request || !isPem(spec.request))
    errors.push(invalid('spec.request', spec?.request ?? '', 'PEM block type must be CERTIFICATE REQUEST'))
  if (!spec?.signerName) errors.push(required('spec.signerName'))
  else if (!/^[a-z0-9.-]+\.[a-z0-9-]+\/\S+$/.test(spec.signerName))
    errors.push(
      invalid(
        'spec.signerName',
        spec.signerName,
        'must be a fully qualified domain and path of the form "example.com/signer-name"',
      ),
    )
  if (!spec?.usages?.length) errors.push(required('spec.usages', 'usages must contain at least one item'))
  for (const [at, usage] of (spec?.usages ?? []).entries())
    if (!usages.includes(usage)) errors.push(notSupported(`spec.usages[${at}]`, usage, usages))
  if (spec?.expirationSeconds !== undefined && spec.expirationSeconds < 600)
    errors.push(
      invalid(
        'spec.expirationSeconds',
        spec.expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    )
  return errors
}

function isPem(base64: string): boolean {
  try {
    return atob(base64).includes('-----BEGIN CERTIFICATE REQUEST-----')
  } catch {
    return false
  }
}

/** As kubectl shows it: `Approved,Issued`. */
function conditionText({ status }: Csr): string {
  const types = (status?.conditions ?? []).map(({ type }) => type)
  const words = ['Approved', 'Denied', 'Failed'].filter((type) => types.includes(type))
  if (!words.some((word) => word !== 'Failed')) words.unshift('Pending')
  return [...words, ...(status?.certificate ? ['Issued'] : [])].join(',')
}
