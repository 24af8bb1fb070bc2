// Passwords in the forms that Apache's htpasswd has by itself and crypt(3) has not: apr1, its default, and {SHA}. HAProxy
// compares them by a program in Lua.

import type { BasicAuth, Settings, User } from '#ingress/annotations/settings.ts'
import { fnv32a } from '#lib/hash.ts'

/** The name of a list of users. */
export const usersName = (users: NonNullable<BasicAuth['users']>): string =>
  `users-${fnv32a(JSON.stringify(users)).toString(16)}`

export const isOfApache = ({ hash }: User): boolean => /^(\$apr1\$|\{SHA\})/.test(hash)

/** The program, with the passwords of all lists; undefined where there are none. */
export function renderHtpasswd(all: readonly Settings[]): string | undefined {
  const lines = new Set<string>()
  for (const { auth } of all)
    for (const user of auth?.users ?? [])
      if (isOfApache(user))
        lines.add(`users[${quote(`${usersName(auth!.users!)} ${user.name}`)}] = ${quote(user.hash)}`)
  return lines.size === 0 ? undefined : ['local users = {}', ...lines, program].join('\n')
}

/** A text of Lua in which only what is printable stands as it is. */
const quote = (text: string): string =>
  `"${text.replaceAll(/[^A-Za-z0-9 ./$_{}+=-]/g, (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`)}"`

const program = String.raw`
local alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

local function encode(bytes)
  local out = {}
  local function put(high, middle, low, count)
    local value = high << 16 | middle << 8 | low
    for _ = 1, count do
      out[#out + 1] = alphabet:sub((value & 63) + 1, (value & 63) + 1)
      value = value >> 6
    end
  end
  for i = 1, 5 do put(bytes[i], bytes[i + 6], bytes[i == 5 and 6 or i + 12], 4) end
  put(0, 0, bytes[12], 2)
  return table.concat(out)
end

local function apr1(md5, password, salt)
  local final = md5(password .. salt .. password)
  local text = password .. "$apr1$" .. salt
  for left = #password, 1, -16 do text = text .. final:sub(1, math.min(16, left)) end
  local bits = #password
  while bits > 0 do
    text = text .. (bits % 2 == 1 and "\0" or password:sub(1, 1))
    bits = bits // 2
  end
  local sum = md5(text)
  for round = 0, 999 do
    local isOdd = round % 2 == 1
    sum = md5((isOdd and password or sum) .. (round % 3 ~= 0 and salt or "")
      .. (round % 7 ~= 0 and password or "") .. (isOdd and sum or password))
  end
  return encode({ sum:byte(1, 16) })
end

core.register_fetches("htpasswd", function(txn, list)
  local coded = (txn.sf:req_fhdr("authorization") or ""):match("^[Bb]asic +(%S+)$")
  if coded == nil then return false end
  local name, password = txn.sc:b64dec(coded):match("^([^:]+):(.*)$")
  local hash = name and users[list .. " " .. name]
  if hash == nil then return false end
  local salt, sum = hash:match("^%$apr1%$([^$]*)%$(.*)$")
  if salt == nil then return hash == "{SHA}" .. txn.sc:base64(txn.sc:sha1(password)) end
  return sum == apr1(function(text) return txn.sc:digest(text, "md5") end, password, salt:sub(1, 8))
end)
`
