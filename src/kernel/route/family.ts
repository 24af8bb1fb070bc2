/** IP version, as it stands in an address's name. */
export type Family = 4 | 6

/** AF_INET, AF_INET6, or AF_UNSPEC for both. */
export const familyNumber = (family: Family | undefined): number => (family === 4 ? 2 : family === 6 ? 10 : 0)
