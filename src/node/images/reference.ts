// Names of images: [HOST[:PORT]/]PATH[:TAG][@DIGEST].

export type ImageReference = {
  /** with the host: docker.io where none is named */
  readonly repository: string
  /** its last part: `nginx` */
  readonly name: string
  readonly tag: string
  readonly digest?: string
}

const path = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const digestForm = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}$/

/** undefined where the text is no name of an image. */
export function parseImageReference(text: string): ImageReference | undefined {
  const [named = '', digest] = text.split('@', 2)
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const tag = colon < 0 ? undefined : named.slice(colon + 1)
  const whole = colon < 0 ? named : named.slice(0, colon)
  const slash = whole.indexOf('/')
  const first = slash < 0 ? '' : whole.slice(0, slash)
  const hasHost = first.includes('.') || first.includes(':') || first === 'localhost'
  const rest = hasHost ? whole.slice(slash + 1) : whole
  if (!path.test(rest)) return undefined
  if ((tag !== undefined && !tagForm.test(tag)) || (digest !== undefined && !digestForm.test(digest))) return undefined
  return {
    repository: hasHost ? whole : `docker.io/${rest.includes('/') ? rest : `library/${rest}`}`,
    name: rest.slice(rest.lastIndexOf('/') + 1),
    tag: tag ?? 'latest',
    ...(digest !== undefined && { digest }),
  }
}
