/**
 * Which addresses a webhook may have. A worker cannot look where a name leads before it connects, so a name must at least
 * be a public one; that a name of one's own zone goes through the front door is `global_fetch_strictly_public`'s to see to.
 */

/** Names that no public server has. */
const INSIDE = /(^|\.)(localhost|local|internal|intranet|private|corp|home|lan|test|invalid|onion|arpa)$/;
/** At least two labels, the last not a number: the parser has made every way to write an IPv4 address into four numbers. */
const PUBLIC_NAME = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(xn--[a-z0-9-]+|[a-z]{2,63})$/;
const THIS_MACHINE = ["127.0.0.1", "localhost"];

/** What is wrong with the address; null when nothing is. `local` allows plain HTTP to this very machine. */
export function checkUrl(given: unknown, local: boolean): string | null {
  if (typeof given !== "string" || !URL.canParse(given)) return "is not a URL";
  const { protocol, hostname, username, password } = new URL(given);
  if (username !== "" || password !== "") return "must not hold a user name or a password";
  if (local && protocol === "http:" && THIS_MACHINE.includes(hostname)) return null;
  if (protocol !== "https:") return "must begin with https://";
  if (!PUBLIC_NAME.test(hostname) || INSIDE.test(hostname)) {
    return "must name a host by its public name: no IP address, no bare or internal name";
  }
  return null;
}
