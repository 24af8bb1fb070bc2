// API group certificates (certificates/v1), as schema rows: the grammar of a row is in schema.ts.

export const certificates = {
  CertificateSigningRequest: {
    apiVersion: '0 string',
    kind: '0 string',
    metadata: '1 meta.ObjectMeta',
    spec: '2 CertificateSigningRequestSpec!',
    status: '3 CertificateSigningRequestStatus',
  },
  CertificateSigningRequestCondition: {
    type: '1 string!',
    reason: '2 string',
    message: '3 string',
    lastUpdateTime: '4 Time',
    lastTransitionTime: '5 Time',
    status: '6 string!',
  },
  CertificateSigningRequestSpec: {
    request: '1 bytes!',
    username: '2 string',
    uid: '3 string',
    groups: '4 [string] list=atomic',
    usages: '5 [string] list=atomic',
    extra: '6 {[string]}',
    signerName: '7 string!',
    expirationSeconds: '8 int32?',
  },
  CertificateSigningRequestStatus: {
    conditions: '1 [CertificateSigningRequestCondition] list=map keys=type',
    certificate: '2 bytes',
  },
} as const
