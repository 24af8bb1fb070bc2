// The rules: a page's links to its own root lead below the proxy's path; all else stays as it was.
import * as assert from 'node:assert/strict'
import { test } from 'node:test'
import { rewriteHtml, rewriteUrl } from '#apiserver/http/proxied-links.ts'

const page = { prefix: '/api/v1/namespaces/a/services/web/proxy', host: '127.0.0.1:8001' }
const below = (path: string) => page.prefix + path

for (const [url, want] of [
  ['/', below('/')],
  ['/a/b?c=d#e', below('/a/b?c=d#e')],
  ['http://127.0.0.1:8001/a', `http://127.0.0.1:8001${below('/a')}`],
  ['//127.0.0.1:8001/a', `//127.0.0.1:8001${below('/a')}`],
  ['http://127.0.0.1:8001', `http://127.0.0.1:8001${below('/')}`],
  [below('/a'), below('/a')],
  [page.prefix, page.prefix],
  [`${page.prefix}-other`, below(`${page.prefix}-other`)],
  ['a/b', 'a/b'],
  ['?x', '?x'],
  ['#x', '#x'],
  ['', ''],
  ['https://example.com/a', 'https://example.com/a'],
  ['mailto:a@example.com', 'mailto:a@example.com'],
] as const)
  test(`the link ${JSON.stringify(url)}`, () => assert.equal(rewriteUrl(url, page), want))

for (const [name, html, want] of [
  ['a link', '<p><a class=x href="/a">b</a>', `<p><a class=x href="${below('/a')}">b</a>`],
  ['without quotes', '<img src=/a.png>', `<img src=${below('/a.png')}>`],
  ['single quotes, spaces, capitals', "<FORM ACTION = '/a'>", `<FORM ACTION = '${below('/a')}'>`],
  ['two attributes', '<img src="/a" longdesc="/b"/>', `<img src="${below('/a')}" longdesc="${below('/b')}"/>`],
  ['an attribute that is no link', '<a title="/a" href="b">', '<a title="/a" href="b">'],
  ['a tag without links', '<p href="/a">', '<p href="/a">'],
  ['a > in a value', '<a title="1>2" href="/a">', `<a title="1>2" href="${below('/a')}">`],
  ['a comment', '<!-- <a href="/a"> --><a href="/b">', `<!-- <a href="/a"> --><a href="${below('/b')}">`],
  ['a script', '<script src="/a">"<a href=/b>"</script>', `<script src="${below('/a')}">"<a href=/b>"</script>`],
  ['no end of the value', '<a href="/a', '<a href="/a'],
  ['no end of the comment', '<!-- <a href="/a">', '<!-- <a href="/a">'],
  ['text with <', 'a < b <3 <', 'a < b <3 <'],
] as const)
  test(`a page: ${name}`, () => assert.equal(rewriteHtml(html, page), want))

test('a hostile page takes one pass', () => {
  // Quadratic time would be minutes.
  for (const piece of ['<a ', '<a href="', '<!--', '<script ', '<', "<a b='c' ", '<a x  ='])
    assert.equal(typeof rewriteHtml(piece.repeat(400_000), page), 'string')
})
