// What a Secret may hold: what its type demands. `stringData` is a way to write `data` and never stored.

import { checkImmutable, checkKeys, isTooLarge, tooLarge } from '#api/config/validate.ts'
import type { Secret } from '#api/core.ts'
import { type FieldError, invalid, required } from '#api/field-error.ts'
import { parseJson } from '#api/json-text.ts'
import { fromUtf8 } from '#lib/bytes.ts'

export function defaultSecret({ stringData, ...secret }: Secret): Secret {
  const written = Object.entries(stringData ?? {}).map(([key, value]) => [key, encode(value)] as const)
  const data = written.length > 0 ? { data: { ...secret.data, ...Object.fromEntries(written) } } : {}
  return { ...secret, ...data, type: secret.type || 'Opaque' }
}

export function validateSecret(secret: Secret, old: Secret | undefined): FieldError[] {
  const errors: FieldError[] = []
  if (old !== undefined && secret.type !== old.type) errors.push(invalid('type', secret.type, 'field is immutable'))
  errors.push(...checkImmutable(secret, old, ['data']), ...checkKeys('data', secret.data ?? {}))
  if (isTooLarge(Object.values(secret.data ?? {}))) errors.push(tooLarge('data'))
  return [...errors, ...checkType(secret)]
}

function checkType({ type, data = {}, metadata }: Secret): FieldError[] {
  const missing = (...keys: readonly string[]) =>
    keys.filter((key) => !(key in data)).map((key) => required(`data[${key}]`))
  switch (type) {
    case 'kubernetes.io/service-account-token': {
      const account = 'kubernetes.io/service-account.name'
      return metadata?.annotations?.[account] ? [] : [required(`metadata.annotations[${account}]`)]
    }
    case 'kubernetes.io/dockercfg':
      return checkJson('.dockercfg', data)
    case 'kubernetes.io/dockerconfigjson':
      return checkJson('.dockerconfigjson', data)
    case 'kubernetes.io/basic-auth':
      return 'username' in data || 'password' in data ? [] : missing('username', 'password')
    case 'kubernetes.io/ssh-auth':
      return data['ssh-privatekey'] ? [] : [required('data[ssh-privatekey]')]
    case 'kubernetes.io/tls':
      return missing('tls.crt', 'tls.key')
    default:
      return []
  }
}

function checkJson(key: string, data: Readonly<Record<string, string>>): FieldError[] {
  const path = `data[${key}]`
  const value = data[key]
  if (value === undefined) return [required(path)]
  const problem = jsonProblem(value)
  return problem === undefined ? [] : [invalid(path, '<secret contents redacted>', problem)]
}

function jsonProblem(base64: string): string | undefined {
  const parsed = parseJson(decode(base64))
  if (parsed.kind === 'error') return parsed.message
  const { value } = parsed.value
  const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  return type === 'object' ? undefined : `json: cannot unmarshal ${type} into Go value of type map[string]interface {}`
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64()
}
function decode(base64: string): string {
  return fromUtf8(Uint8Array.fromBase64(base64))
}
