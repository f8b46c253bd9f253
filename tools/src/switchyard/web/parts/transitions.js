// Steps from one policy to the next, per role, as `switchyard providers` takes them; each says what it will do.

const NO_TRIAL = { candidate: null, canary_percent: 0, shadow_percent: 0 };

export function use(role, backend) {
  if (role.stable === backend) return {};
  const others = role.fallbacks.filter(name => name !== backend && name !== role.stable);
  return { stable: backend, previous: role.stable, fallbacks: [role.stable, ...others], ...(role.candidate === backend && NO_TRIAL) };
}

export const canary = (role, backend, percent) => ({ candidate: backend, canary_percent: percent });
export const shadow = (role, backend, percent) => ({ candidate: backend, shadow_percent: percent });
export const promote = role => use(role, role.candidate);

export function rollback(role) {
  if (role.candidate) return { ...NO_TRIAL };
  return { ...use(role, role.previous), previous: null };
}
