// The number that one namespace has for another over rtnetlink: linux/net_namespace.h.
import { decodeAttributes, type Message, readU32 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'

export const RTM_NAMESPACE_ID = { get: 90 } as const
const NETNSA = { id: 1, file: 3 } as const
const unassigned = 0xffff_ffff

/** `file`: a descriptor of the other namespace. */
export function encodeNamespaceIdQuery(writer: MessageWriter, file: number): void {
  writer.u8(0).u8(0).u8(0).u8(0).attributeU32(NETNSA.file, file)
}

/** Undefined where it has none. */
export function decodeNamespaceId({ payload }: Message): number | undefined {
  const id = decodeAttributes(payload, 4).get(NETNSA.id)
  return id === undefined || readU32(id) === unassigned ? undefined : readU32(id)
}
