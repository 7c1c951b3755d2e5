module.exports = () => ({
  before: async (event) => {
    event.json = event.body ? JSON.parse(event.body) : null;
  },
});
