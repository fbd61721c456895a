/** What the documents of a repository are made of, each as it may be written and not otherwise. */
import { z } from 'zod';

export const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt);
export const timestamp = z
  .string()
  .regex(/^-?\d{1,19}$/)
  .transform(BigInt);
export const count = z.number().int().nonnegative();
export const topic = z.string().regex(/^[a-zA-Z0-9._-]{1,249}$/);
export const topicId = z.string().regex(/^[A-Za-z0-9_-]{22}$/);
export const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
export const digest = z.string().regex(/^[0-9a-f]{64}$/);
