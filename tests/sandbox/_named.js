export default "as it was";
