export const shown = (cents: number) => (cents / 100).toFixed(2);
