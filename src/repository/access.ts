/**
 * Who may do what in the cluster and how much of it, as a manifest keeps it: access lists, the names of SCRAM users, quotas. Each
 * part is null where no cycle was ever told it.
 */
import { z } from 'zod';

export interface SavedAccess {
  readonly acls: Saved<SavedAcl> | null;
  /** Kafka tells no hash to anybody: the names and mechanisms alone. */
  readonly scramUsers: Saved<SavedScramUser> | null;
  readonly quotas: Saved<SavedQuota> | null;
  /** What the cluster would not tell in this cycle, and why; what an earlier one was told stays. */
  readonly accessRefusals: readonly string[];
}

interface Saved<Row> {
  readonly readMs: number;
  readonly rows: readonly Row[];
}

interface SavedAcl {
  readonly resourceType: string;
  readonly resource: string;
  readonly patternType: string;
  readonly principal: string;
  readonly host: string;
  readonly operation: string;
  readonly permission: string;
}

interface SavedScramUser {
  readonly user: string;
  readonly mechanism: string;
  readonly iterations: number;
}

interface SavedQuota {
  /** A null name is the default of its type. */
  readonly entity: readonly (readonly [type: string, name: string | null])[];
  readonly limits: readonly (readonly [key: string, value: number])[];
}

/** As `SavedAccess`; manifests from before these were saved have none of them. */
export const accessShape = {
  acls: saved(
    z.object({
      resourceType: z.string(),
      resource: z.string(),
      patternType: z.string(),
      principal: z.string(),
      host: z.string(),
      operation: z.string(),
      permission: z.string(),
    }),
  ),
  scramUsers: saved(z.object({ user: z.string(), mechanism: z.string(), iterations: z.number() })).default(
    null,
  ),
  quotas: saved(
    z.object({
      entity: z.array(z.tuple([z.string(), z.string().nullable()])),
      limits: z.array(z.tuple([z.string(), z.number()])),
    }),
  ),
  accessRefusals: z.array(z.string()).default([]),
};

function saved<Row extends z.ZodType>(row: Row) {
  return z.object({ readMs: z.number().int().nonnegative(), rows: z.array(row) }).nullable();
}

/** What this cycle was told; for the rest, what the snapshot before had. */
export function nextAccess(told: SavedAccess | null, before: SavedAccess | undefined): SavedAccess {
  return {
    acls: told?.acls ?? before?.acls ?? null,
    scramUsers: told?.scramUsers ?? before?.scramUsers ?? null,
    quotas: told?.quotas ?? before?.quotas ?? null,
    accessRefusals: told?.accessRefusals ?? before?.accessRefusals ?? [],
  };
}
