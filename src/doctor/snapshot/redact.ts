// What a snapshot does not carry: secrets, and what swells it.

const dropped = new Set(['managedFields', 'kubectl.kubernetes.io/last-applied-configuration'])
export const leftOut = '(left out)'

/** The same object without values of environment variables, of commands' arguments that look like secrets, and bookkeeping. */
export function redact(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redact)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !dropped.has(key))
      .map(([key, item]) => [
        key,
        key === 'env' && Array.isArray(item) ? item.map(redactVariable) : redactField(key, item),
      ]),
  )
}

const redactVariable = (item: unknown): unknown =>
  typeof item === 'object' && item !== null && 'value' in item ? { ...item, value: leftOut } : redact(item)

const sign = /((?:password|passwd|token|secret|api[-_]?key)[\w-]*[= ])\S+/gi

function redactField(key: string, item: unknown): unknown {
  if ((key === 'args' || key === 'command') && Array.isArray(item))
    return item.map((word) => (typeof word === 'string' ? word.replaceAll(sign, `$1${leftOut}`) : word))
  return redact(item)
}
