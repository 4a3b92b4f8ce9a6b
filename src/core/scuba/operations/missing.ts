import { z } from 'zod'

/** Leaves that are not in an answer because they did not give one, in words. */
export const missingLeaves = z.array(z.string()).default([])
