// effect: netlink sockets
// Families of generic netlink have names; their numbers are the kernel's to give (linux/genetlink.h).
import { decodeAttributes, readU16 } from '#kernel/netlink/message.ts'
import type { MessageWriter } from '#kernel/netlink/message-writer.ts'
import { NetlinkError, type NetlinkSocket } from '#kernel/netlink/socket.ts'

const CONTROL = { family: 16, get: 3, version: 1 } as const
const ATTRIBUTE = { id: 1, name: 2 } as const

/** Length of the header in front of the attributes of a received message. */
export const genericHeaderLength = 4

export const encodeGenericHeader = (writer: MessageWriter, command: number, version = 1): MessageWriter =>
  writer.u8(command).u8(version).u16(0)

/** The message type of a family; asking loads the kernel module that has it. Undefined where this kernel has none. */
export function findGenericFamily(socket: NetlinkSocket, name: string): number | undefined {
  try {
    const [answer] = socket.request(`find ${name}`, CONTROL.family, 0, (writer) =>
      encodeGenericHeader(writer, CONTROL.get, CONTROL.version).attributeText(ATTRIBUTE.name, name),
    )
    const id = decodeAttributes(answer?.payload, genericHeaderLength).get(ATTRIBUTE.id)
    return id && readU16(id)
  } catch (error) {
    if (error instanceof NetlinkError && error.code === 'ENOENT') return undefined
    throw error
  }
}
