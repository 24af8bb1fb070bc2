// The paths of rules: which are patterns, and what the endpoint gets instead of them.

import { parsePattern, PatternError } from '#api/pattern/syntax.ts'
import type { Route } from '#ingress/route.ts'

export type RulePath = Pick<Route, 'match' | 'path'> & {
  readonly rewrite?: string
  /** which of two forms of the same path counts: `/foo/` before `/foo`, Prefix before ImplementationSpecific */
  readonly rank: number
}

/** What PCRE, which HAProxy has, reads otherwise than RE2, or in letters beyond ASCII only. */
const foreign = /\\[pPxCQE0-9]|[^ -~]|(\\[zAbB]|[$^])[*+?{]|\(\?[imsU-]*\)/
const signs = /[()[\]{}*+?|\\^$]/

/**
 * How a path is matched. Answers a text that says what is wrong where it cannot be served. `usesPatterns`: those of type
 * ImplementationSpecific that have signs of regular expressions are such; `target`: rewrite-target.
 */
export function readPath(
  { path: written = '', pathType }: { readonly path?: string; readonly pathType?: string | undefined },
  { usesPatterns, target }: { readonly usesPatterns: boolean; readonly target: string | undefined },
): { readonly path: RulePath; readonly problem?: string } | string {
  const path = written === '' ? '/' : written
  if (/[\s\p{Cc}]/u.test(path)) return `path ${JSON.stringify(path)}: no request has blanks in its path`
  if (usesPatterns && pathType === 'ImplementationSpecific' && signs.test(path)) return readPattern(path, target)
  const isExact = pathType === 'Exact'
  const hasSlash = path.endsWith('/')
  const found: RulePath = {
    match: isExact ? 'exact' : 'prefix',
    path: isExact || hasSlash ? path : `${path}/`,
    rank: isExact ? 0 : (hasSlash ? 0 : 1) + (pathType === 'Prefix' ? 0 : 2),
    ...(target !== undefined && { rewrite: fill(target, () => '') }),
  }
  if (usesPatterns && signs.test(path))
    return { path: found, problem: `path ${path}: patterns are of pathType ImplementationSpecific` }
  if (target !== undefined && /\$\d/.test(target))
    return { path: found, problem: `path ${path} has no groups that rewrite-target ${target} could name` }
  return { path: found }
}

function readPattern(path: string, target: string | undefined): ReturnType<typeof readPath> {
  try {
    parsePattern(path)
  } catch (error) {
    if (!(error instanceof PatternError)) throw error
    return `path ${path}: ${error.message}`
  }
  if (!/^\^?\//.test(path) || path.length > 1000)
    return `path ${path.slice(0, 100)}: a pattern begins with a slash and has 1,000 signs at most`
  if (foreign.test(path))
    return `path ${path}: a pattern has ASCII letters, repeats no assertions, and has none of \\p, \\x, \\C, \\Q, (?i)`
  const groups = (path.replaceAll(/\\.|\[\^?\]?[^\]]*\]/g, '').match(/\((?!\?)|\(\?P?</g) ?? []).length
  const missing = [...(target ?? '').matchAll(/\$(\d)/g)].some(([, digit]) => Number(digit) > groups)
  const rewrite =
    target === undefined ? undefined : fill(target, (digit) => (Number(digit) > groups ? '' : `\\${digit}`))
  const found: RulePath = { match: 'pattern', path, rank: 0, ...(rewrite !== undefined && { rewrite }) }
  return missing
    ? { path: found, problem: `path ${path} has ${groups} groups, and rewrite-target ${target} names more` }
    : { path: found }
}

const fill = (target: string, group: (digit: string) => string): string =>
  target.replaceAll(/\$(\d)/g, (_, digit: string) => group(digit))
