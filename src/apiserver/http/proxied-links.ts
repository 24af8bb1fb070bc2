// Pages that come through a /proxy: what their links and redirects name at the backend's root is below the proxy's path
// for the browser (the rules of Kubernetes' proxy transport).

export type ProxiedPage = {
  /** the path of the /proxy: /api/v1/namespaces/a/pods/p/proxy */
  readonly prefix: string
  /** the Host header of the request */
  readonly host: string
}

const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
}
/** What stands in these is no HTML. */
const rawElements = new Set(['script', 'style', 'textarea', 'title', 'iframe', 'noembed', 'noframes', 'xmp'])

/** A link of the page as the browser must ask for it. */
export function rewriteUrl(url: string, { prefix, host }: ProxiedPage): string {
  const absolute = /^(?:https?:)?\/\/([^/?#]*)([^]*)$/.exec(url)
  const path = absolute === null ? url : absolute[2] || '/'
  // Another host's, or relative to the page, whose path has the prefix already.
  if (absolute !== null && absolute[1] !== host) return url
  if (!path.startsWith('/') || path === prefix || path.startsWith(`${prefix}/`)) return url
  return `${url.slice(0, url.length - (absolute?.[2] ?? url).length)}${prefix}${path}`
}

/** One pass over the text, whatever it is: a page is as hostile as its author. */
export function rewriteHtml(html: string, page: ProxiedPage): string {
  const parts: string[] = []
  let copied = 0
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      at = endAfter(html, '-->', at + 4)
      continue
    }
    const name = /[a-z][a-z0-9]*/iy
    name.lastIndex = at + 1
    const tag = name.exec(html)?.[0].toLowerCase()
    at += 1 + (tag?.length ?? 0)
    if (tag === undefined) continue
    for (const [from, to] of attributeValues(html, at, linkAttributes[tag] ?? [])) {
      parts.push(html.slice(copied, from), rewriteUrl(html.slice(from, to), page))
      copied = to
    }
    at = endOfTag(html, at)
    if (rawElements.has(tag)) at = endOfRaw(html, tag, at)
  }
  parts.push(html.slice(copied))
  return parts.join('')
}

const endAfter = (html: string, end: string, from: number): number => {
  const found = html.indexOf(end, from)
  return found < 0 ? html.length : found + end.length
}

function endOfRaw(html: string, tag: string, from: number): number {
  const end = new RegExp(`</${tag}`, 'gi')
  end.lastIndex = from
  return end.exec(html)?.index ?? html.length
}

/** Of the tag whose name ends at `at`: past its `>`. */
function endOfTag(html: string, at: number): number {
  for (const token of tokens(html, at)) if (token.kind === 'end') return token.to
  return html.length
}

/** Where the values of these attributes stand, without their quotes. */
function* attributeValues(html: string, at: number, names: readonly string[]): Iterable<readonly [number, number]> {
  if (names.length === 0) return
  for (const token of tokens(html, at))
    if (token.kind === 'attribute' && names.includes(token.name.toLowerCase())) yield [token.from, token.to]
}

type Token =
  | { readonly kind: 'attribute'; readonly name: string; readonly from: number; readonly to: number }
  | { readonly kind: 'end'; readonly to: number }

/** The attributes that have a value, then the end of the tag; nothing where the page ends before. */
function* tokens(html: string, start: number): Iterable<Token> {
  const skip = /[\s/]*/y
  const word = /([^\s/>=]+)(?:\s*=\s*)?/y
  const bare = /[^\s>]*/y
  const match = (pattern: RegExp, at: number) => {
    pattern.lastIndex = at
    return pattern.exec(html)
  }
  for (let at = start; at < html.length;) {
    at += match(skip, at)![0].length
    if (html[at] === '>') return yield { kind: 'end', to: at + 1 }
    const found = match(word, at)
    if (found === null) {
      at++
      continue
    }
    at += found[0].length
    if (!found[0].includes('=')) continue
    const quote = html[at]
    if (quote === '"' || quote === "'") {
      const end = html.indexOf(quote, at + 1)
      if (end < 0) return undefined
      yield { kind: 'attribute', name: found[1]!, from: at + 1, to: end }
      at = end + 1
    } else {
      const value = match(bare, at)![0]
      yield { kind: 'attribute', name: found[1]!, from: at, to: at + value.length }
      at += value.length
    }
  }
  return undefined
}
