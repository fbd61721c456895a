import { agoText } from '../observe/observe.ts';
import type { SavedAccess } from '../repository/repository.ts';
import { momentText } from './times.ts';

interface Part {
  readonly readMs: number;
  readonly rows: readonly unknown[];
}

/** That they are there; Kafka tells the names of SCRAM users, never their secrets. */
export function accessText(access: SavedAccess): string {
  const parts = partsOf(access).map(({ name, one, part }) =>
    part === null ? `no ${name}` : `${part.rows.length} ${part.rows.length === 1 ? one : name}`,
  );
  return `${parts.join(', ')} (not put back by a restore)`;
}

/** The same with their age, as rows of a table. */
export function accessRows(access: SavedAccess, nowMs: number): string[][] {
  return partsOf(access).map(({ name, part, note = '' }) =>
    part === null
      ? [name, '-', 'never told by Kafka']
      : [name, String(part.rows.length), `read ${agoText(part.readMs, nowMs)}${note}`],
  );
}

function partsOf({
  acls,
  scramUsers,
  quotas,
}: SavedAccess): { name: string; one: string; part: Part | null; note?: string }[] {
  const users = scramUsers && { ...scramUsers, rows: [...new Set(scramUsers.rows.map(({ user }) => user))] };
  return [
    { name: 'access list entries', one: 'access list entry', part: acls },
    { name: 'SCRAM users', one: 'SCRAM user', part: users, note: '; Kafka tells no secrets' },
    { name: 'quotas', one: 'quota', part: quotas },
  ];
}

/** How many there are; null where Kafka never told. */
export function accessCounts({ acls, scramUsers, quotas, accessRefusals }: SavedAccess): object {
  return {
    acls: acls?.rows.length ?? null,
    scramUsers: scramUsers && new Set(scramUsers.rows.map(({ user }) => user)).size,
    quotas: quotas?.rows.length ?? null,
    refusals: accessRefusals,
  };
}

/** All of it, for programs that make it again. */
export function accessDocument({ acls, scramUsers, quotas, accessRefusals }: SavedAccess): object {
  return {
    acls: partDocument(acls),
    scramUsers: partDocument(scramUsers),
    quotas: partDocument(quotas),
    refusals: accessRefusals,
  };
}

function partDocument(part: Part | null): object | null {
  return part && { read: momentText(part.readMs), rows: part.rows };
}
